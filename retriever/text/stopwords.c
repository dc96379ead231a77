/* stopwords.c - see stopwords.h. Articles, pronouns, prepositions, conjunctions, auxiliaries and
 * question words only: a word that could be the topic of a question is no stop word. */
#include "retriever/text/stopwords.h"
#include <string.h>

static const struct {
    const char *language, *words;
} lists[] = {
    {"english",
     "a about above after again against all also am an and any are as at be because been before "
     "being below between both but by can cannot could did do does doing down during each few for "
     "from further had has have having he her here hers herself him himself his how i if in into "
     "is it its itself just me more most my myself no nor not of off on once only or other ought "
     "our ours ourselves out over own same she should so some such than that the their theirs them "
     "themselves then there these they this those through to too under until up very was we were "
     "what when where which while who whom whose why will with would you your yours yourself "
     "yourselves arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt shouldnt wasnt "
     "werent wont wouldnt im ive youre theyre theyve weve"},
    {"german",
     "aber alle allem allen aller alles als also am an andere anderen auch auf aus bei bin bis "
     "bist "
     "da damit dann das dass daß dein deine dem den denn der des dessen deren dich die dies diese "
     "diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er es "
     "euch "
     "euer eure für gegen gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn "
     "ihnen "
     "ihr ihre ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes jene jener "
     "kann "
     "kein keine keinem keinen keiner können man mein meine mich mir mit nach nicht nichts noch "
     "nun "
     "nur ob oder ohne sehr sein seine seinem seinen seiner selbst sich sie sind so soll sollte "
     "sondern um und uns unser unsere unter vom von vor während war waren warst was weil welche "
     "welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wo wollen "
     "würde "
     "würden zu zum zur zwischen über"},
    {"french",
     "à ai as au aux avait avaient avec avez avoir avons c ce ceci cela celle celles celui ces cet "
     "cette ceux comme d dans de des donc dont du elle elles en entre es est et étaient était été "
     "être eu eux fut il ils j je l la là laquelle le lequel les lesquels leur leurs lui m ma mais "
     "me "
     "même mes moi mon n ne ni nos notre nous on ont ou où par pas pour qu quand que quel quelle "
     "quelles quels qui quoi s sa sans se sera ses si sien son sont sous sur t ta te tes toi ton "
     "tu un "
     "une vos votre vous y"},
    {"spanish",
     "a al algo ante antes aquel aquella aquellos como con contra cual cuales cuando de del desde "
     "donde dos durante e el él ella ellas ellos en entre era eran es esa esas ese eso esos esta "
     "está "
     "están estas este esto estos fue fueron ha había han hasta hay la las le les lo los más me mi "
     "mis "
     "mucho muy nada ni no nos nosotros o os otra otros para pero por porque que qué quien quién "
     "quienes se sea ser si sí sido sin sobre son su sus también tanto te tiene tienen todo todos "
     "tu "
     "tus un una uno unos y ya yo cuál cuándo cómo dónde"},
    {"italian",
     "a ad agli ai al alla alle allo anche avere aveva c che chi ci coi col come con contro cui d "
     "da "
     "dagli dai dal dalla dalle dallo degli dei del dell della delle dello di dove e è ed era "
     "erano "
     "essere fra fu furono gli ha hanno i il in io l la le lei li lo loro lui ma mi mia mie miei "
     "mio "
     "ne negli nei nel nell nella nelle nello noi non nostra nostro o per perché più quale quali "
     "quando quanto quella quelle quelli quello questa queste questi questo s se sei si sia siamo "
     "sono "
     "su sua sue sugli sui sul sulla sulle suo suoi tra tu tua tuo un una uno vi voi"},
    {"portuguese",
     "a à ao aos aquela aquele aquilo as às até com como da das de dela dele deles depois do dos e "
     "é "
     "ela elas ele eles em entre era eram essa essas esse esses esta está estão estas este estes "
     "eu "
     "foi foram há isso isto já lhe mais mas me mesmo meu minha muito na não nas nem no nos nós "
     "nossa "
     "nosso num numa o onde os ou para pela pelas pelo pelos por porque qual quais quando que quem "
     "são se seja sem ser será seu seus só sobre sua suas também te tem têm um uma você vos"},
    {"dutch", "aan al als bij dan dat de der deze die dit doch door dus een en er ge geen had "
              "hadden heb hebben "
              "heeft hem het hier hij hoe hun ik in is ja je kan kon maar me meer men met mij mijn "
              "na naar niet "
              "nog nu of om omdat onder ons ook op over reeds te tegen toch toen tot u uit uw van "
              "veel voor want "
              "waren was wat werd werden wie wij wil worden wordt waar wanneer welke zal ze zelf "
              "zich zij zijn "
              "zo zonder zou"},
};

const char *tn_stopwords(const char *language) {
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (strcmp(lists[i].language, language) == 0) return lists[i].words;
    return "";
}
