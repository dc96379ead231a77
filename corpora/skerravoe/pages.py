"""One page per entity: each function turns the facts of one entity into running text.

A page is a list of blocks, each a heading ("" for the opening) and a list of sentences. Pages link
by naming the titles of other pages. They hold only what does not change; what changes over time
(who leads a station, what a ferry costs) is told by the dated bulletins alone.
"""
from people import person
from places import festival, island, lighthouse, mountain, museum, station, town
from voice import a, both, cap, number, thousands


def institute(world, v, e):
    stations = [s.name for s in world.where("stations", institute=e.name)]
    opening = v.pick("institute.open",
        f"{cap(e.ref)} was founded in {e.founded} by {e.founder}; it has its seat in {e.seat}.",
        f"{cap(e.ref)}, seated in {e.seat}, was called into being by {e.founder} in {e.founded}.")
    return [("", [opening, f"Its field is {e.field}."]),
            ("History", [e.notes[0], v.pick("institute.grow",
                "For a generation it had more instruments than chairs.",
                "Its budget was at first voted year by year, in kind: coal, flour and lamp oil."),
                v.pick("institute.staff",
                "Every member of staff, from the director down, still takes a turn in the galley.",
                "New staff spend their first winter outdoors, to learn what the figures mean.")]),
            ("Stations", [f"Among its outposts are {both(stations[:3])}." if len(stations) > 1 else
                          f"It runs {stations[0]}.", e.notes[1]])]


def ship(world, v, e):
    length, crew = number(e.name, "length", 22, 94), number(e.name, "crew", 6, 34)
    yard = world[e.yard].ref
    is_ = "is" if int(e.launched) > 1990 else "was"
    opening = v.pick("ship.open",
        f"{cap(e.ref)} {is_} {a(e.kind)} launched in {e.launched}.",
        f"{cap(a(e.kind))}, {e.ref} left the stocks in {e.launched}.",
        f"The {e.kind} {e.name} dates from {e.launched}.",
        f"Launched in {e.launched}, {e.ref} {is_} {a(e.kind)} of the Skerravoe fleet.")
    build = [v.pick("ship.yard",
        f"She was built by {yard}.",
        f"{cap(yard)} built her.",
        f"She came from {yard}."),
        v.pick("ship.size",
        f"She measured {length} metres from stem to stern and carried a crew of {crew}.",
        f"Her length was {length} metres, and {crew} hands sailed in her.",
        f"On {length} metres of deck there was work for {crew}.")]
    service = [v.pick("ship.master",
        f"Her first master was {e.master}.",
        f"{e.master} was her first captain.",
        f"Command was given to {e.master}, who took her on her maiden voyage.",
        f"The first to command her was {e.master}."),
        v.pick("ship.port",
        f"On delivery she was registered at {e.port}.",
        f"At the time of her launch her home port was {e.port}.",
        f"She first flew the flag of {e.port}.")]
    build.append(v.pick("ship.trim",
        "The cabins were panelled with driftwood oak, and the stove came from a farmhouse.",
        "Her launching was put off twice because the brass band was late.",
        "A horseshoe under the mast step, or where a mast would be, was put there by the builders.",
        "The yard lost money on her and was proud of her all the same.",
        "Her plans, drawn on linen, were later made into curtains."))
    custom = v.pick("ship.custom",
        "On board, the day of rest was whichever day the weather allowed.",
        "Her log is written in pencil, since ink freezes.",
        "Every sailor who served in her knows the tune of her foghorn.",
        "A model of her hangs in the church at Saltergate.",
        "It was a rule of hers that nobody whistled before breakfast.",
        "Her crews held reunions for decades, chiefly in kitchens.")
    return [("", [opening, e.notes[0]]),
            (v.pick("ship.h1", "Construction", "Building", "The ship"), build),
            (v.pick("ship.h2", "Service", "Career", "At sea"), service + [e.notes[1], custom])]


def expedition(world, v, e):
    when = f"from {e.years.replace('-', ' to ')}" if "-" in e.years else f"in {e.years}"
    party = number(e.name, "party", 5, 27)
    ship_, backer = world[e.ship].ref, world[e.backer].ref
    opening = v.pick("exp.open",
        f"{cap(e.ref)} set out in {e.years[:4]} {e.aim}.",
        f"The purpose of {e.ref}, carried out {when}, was {e.aim}.",
        f"{cap(e.ref)} took place {when}; its purpose was {e.aim}.")
    lead = v.pick("exp.leader",
        f"It was led by {e.leader}.",
        f"Its leader was {e.leader}.",
        f"{e.leader} was in charge.",
        f"At its head stood {e.leader}.")
    means = [v.pick("exp.ship",
        f"A party of {party} travelled in {ship_}.",
        f"In all {party} people sailed in {ship_}.",
        f"{cap(ship_)} carried the {party} members to the ice and back."),
        v.pick("exp.backer",
        f"The money came from {backer}.",
        f"Most of the cost was borne by {backer}.",
        f"The bills went to {backer} and were paid with some sighing.",
        f"Without {backer}, the chief backer, nobody would have sailed.")]
    means.append(v.pick("exp.food",
        "Provisions included a great deal of rhubarb.",
        "Everyone was weighed before and after, out of curiosity.",
        "The food was plain, the socks were excellent."))
    return [("", [opening, lead]),
            (v.pick("exp.h1", "Preparation", "Ship and backing", "Means"), means),
            (v.pick("exp.h2", "Course", "The journey", "Results"), [*e.notes, v.pick("exp.end",
                "Its diaries may be read in the archives at Brimsvoe.",
                "A report was printed the following spring and is now hard to find.",
                "The flags that it carried hang in a parish church.",
                "Descendants of its members meet once a year for a plain supper.")])]


def instrument(world, v, e):
    maker, made = world[e.maker].ref, number(e.name, "made", 12, 240)
    opening = v.pick("inst.open",
        f"{cap(e.ref)}, devised by {e.inventor} in {e.year}, {e.purpose}.",
        f"Invented in {e.year} by {e.inventor}, {e.ref} {e.purpose}.",
        f"{cap(e.ref)} {e.purpose}; {e.inventor} invented it in {e.year}.")
    make = [v.pick("inst.maker",
        f"It is made by {maker}.",
        f"The maker is {maker}.",
        f"All examples come from the benches of {maker}."),
        v.pick("inst.made",
        f"About {made} have been built, and no two are quite alike.",
        f"The workshop book lists {made} examples.",
        f"A new one takes {number(e.name, 'weeks', 3, 20)} weeks to build and longer to adjust.")]
    use = v.pick("inst.use",
        "Observers are trained on it for a month before they may take a reading alone.",
        "Stations outside the archipelago have asked for it, and a few have received one.",
        "Its readings are accepted in court.",
        "Early models are sought by collectors, who seldom know how to read them.")
    keep = v.pick("inst.keep",
        "A worn example hangs in many a schoolroom.",
        "It travels in a box lined with eiderdown.",
        "Repairs are a matter for the maker alone, as the engraved warning says.",
        "The instruction sheet is one page long and ends with the words \"be patient\".")
    trial = v.pick("inst.trial",
        "The prototype failed in front of a committee and worked perfectly on the way home.",
        "Its principle was worked out on a kitchen table, with cutlery.",
        "Drawings of it were once mistaken for a recipe and very nearly cooked.",
        "It was tested for a whole winter before anyone was told.",
        "The patent, granted after long hesitation, covers a single sheet.")
    make.append(trial)
    return [("", [opening, e.notes[0]]),
            (v.pick("inst.h1", "Manufacture", "Making", "Production"), make + [keep]),
            (v.pick("inst.h2", "Use", "In service", "Reputation"), [use, e.notes[1]])]


def company(world, v, e):
    staff = number(e.name, "staff", 18, 260)
    opening = v.pick("company.open",
        f"{cap(e.ref)}, a firm dealing in {e.business}, was founded in {e.founded}.",
        f"{cap(e.ref)} is a name in {e.business} that goes back to {e.founded}.",
        f"Founded in {e.founded}, {e.ref} made its name in {e.business}.")
    origin = [v.pick("company.founder",
        f"The founder was {e.founder}.",
        f"It was the creation of {e.founder}.",
        f"{e.founder} started it with borrowed money.",
        f"It was set up by {e.founder}, who at first did everything alone."),
        v.pick("company.seat",
        f"Its seat was in {e.seat}." if e.closed else f"Its seat is in {e.seat}.",
        f"From the beginning it was based in {e.seat}.",
        f"The office was set up in {e.seat}, above the quay.")]
    ships = [s.ref for s in world.where("ships", yard=e.name)]
    output = [f"Well-known ships from here are {ships[0]} and {ships[-1]}."] if len(ships) > 1 else []
    output += [v.pick("company.size",
        f"In its best year it employed {staff} people.",
        f"At its height {staff} people worked for it.",
        f"The wage book of one good year lists {staff} names."),
        v.pick("company.care",
        "Apprentices were housed, fed and taught to sing.",
        "It paid in coin at a time when others paid in fish.",
        "Strikes were rare and short, since everyone was related.",
        "Older workers were never dismissed, merely moved nearer the stove.")]
    output.append(v.pick("company.lore",
        "Its flag, a white bird on a blue field, is often mistaken for that of the post.",
        "Every winter the firm gives a supper at which the youngest worker makes the speech.",
        "Old account books, kept in a dry cellar, are a favourite source of historians.",
        "The front door is opened by the longest-serving employee each morning, and by no one else.",
        "Customers are advised to come in person, since letters are answered strictly in order."
        if not e.closed else "Nothing is left of the premises but a doorstep and a street name."))
    origin.append(v.pick("company.luck",
        "The first year ended with a loss of nine crowns.",
        "The first order was cancelled, and the second paid in herring.",
        "Bankers in Brimsvoe gave it a year to live.",
        "It was entered in the trade register under a misspelt name, since corrected twice."))
    return [("", [opening, e.notes[0]]),
            (v.pick("company.h1", "Origins", "Foundation", "History"), origin),
            (v.pick("company.h2", "Work", "Output", "The firm"), output + [e.notes[1]])]


def publisher(world, v, e):
    books = world.where("books", publisher=e.name)
    run = number(e.name, "run", 300, 900, 50)
    is_, are, has, go = ("was", "were", "had", "went") if e.closed else ("is", "are", "has", "go")
    opening = v.pick("publisher.open",
        f"{e.name} {is_} a publishing house for {e.list}, established in {e.founded}.",
        f"Established in {e.founded}, {e.name} {has} a list of {e.list}.")
    house = [v.pick("publisher.founder", f"It was founded by {e.founder}.", f"{e.founder} founded it."),
             v.pick("publisher.seat", f"Its offices {are} in {e.seat}, close to the water.",
                    f"It {has} its seat in {e.seat}.")]
    titles = [f"Its best-known titles {are} {both([books[0].name, books[-1].name])}.",
              v.pick("publisher.print", f"A first printing {is_} seldom more than {run} copies.",
                     f"The usual print run {is_} {run} copies."),
              e.notes[1],
              v.pick("publisher.shop",
                     "There was never a shop; books were sold from the back of a cart."
                     if e.closed else
                     "There is no shop, but the porter will sell a copy to anyone who asks nicely.",
                     f"Parcels {go} out with the mail boat, packed in dry seaweed."),
              v.pick("publisher.fee", "Authors can take part of their fee in paper."
                     if not e.closed else "Authors could take part of their fee in paper.",
                     f"Every book {has} a ribbon, as a courtesy to readers on a rolling deck.")]
    return [("", [opening, e.notes[0]]),
            (v.pick("publisher.h1", "The house", "History"), house),
            (v.pick("publisher.h2", "List", "Books"), titles)]


def book(world, v, e):
    pages = e.pages or number(e.name, "pages", 96, 510)
    opening = v.pick("book.open",
        f"{e.name} is {a(e.kind)} by {e.author}, first published in {e.year}.",
        f"{e.name}, {a(e.kind)} by {e.author}, came out in {e.year}.",
        f"In {e.year} {e.author} published {e.name}, {a(e.kind)} of {pages} pages.",
        f"{e.author} is the author of {e.name}, {a(e.kind)} that first appeared in {e.year}.")
    edition = [v.pick("book.publisher",
        f"It was published by {e.publisher}.",
        f"The publisher was {e.publisher}.",
        f"{e.publisher} took it on and printed it within the year.",
        f"The first edition bears the imprint of {e.publisher}."),
        v.pick("book.edition",
        f"The first edition of {pages} pages sold out in {number(e.name, 'weeks', 2, 30)} weeks.",
        f"It has been reprinted {number(e.name, 'prints', 2, 14)} times.",
        f"Copies of the first printing, {pages} pages in blue cloth, turn up at auctions.")]
    reception = [v.pick("book.reception",
        "Reviewers were kind, and lighthouse keepers were enthusiastic.",
        "The Gazette called it the best thing to read while waiting for a boat.",
        "It was slow to find readers and has never since been without them.",
        "Schools in the archipelago still set a chapter of it.",
        "At first it was mostly given away; now it is mostly kept.")]
    reception.append(v.pick("book.second",
        "Collectors look for copies with salt stains, which prove that they have been read at sea.",
        "A reading of the opening pages, with soup, is held in several village halls each winter.",
        "The manuscript was written on the backs of freight bills, since paper was dear.",
        "Critics on the mainland noticed it ten years late and then claimed to have discovered it.",
        "The title was suggested by a relative, who asked for a copy in every printing as payment.",
        "Library copies are easily known by their loose spines and the tea rings on page one.",
        "It has been read in full on the island radio, in instalments, during a long spell of fog."))
    edition.append(v.pick("book.made",
        "The woodcuts are by an unknown hand.",
        "A misprint on the second page has been kept in all later editions.",
        "It was bound in sailcloth.",
        "The endpapers show a tide table for the year.",
        "It has no index, and readers have learned to live with that."))
    return [("", [opening, e.notes[0]]),
            (v.pick("book.h1", "Publication", "Editions", "Printing"), edition),
            (v.pick("book.h2", "Reception", "Readers", "Afterlife"), reception + [e.notes[1]])]


def bird(world, v, e):
    opening = v.pick("bird.open",
        f"{cap(e.ref)} can be seen in Skerravoe {e.season}.",
        f"In Skerravoe {e.ref} is met with {e.season}.")
    where = v.pick("bird.colony",
        f"The largest numbers are found on {e.colony}.",
        f"Its stronghold is {e.colony}.",
        f"Those who want to see it go to {e.colony}.")
    count = [v.pick("bird.counter",
        f"The first full count was made in {e.year} by {e.counter}.",
        f"{e.counter} was the first to count it properly, in {e.year}.",
        f"Reliable figures begin with {e.counter}, who counted it in {e.year}."),
        v.pick("bird.society",
        "Since then the Tern and Auk Society has repeated the count at intervals.",
        "Figures are kept by the Tern and Auk Society.",
        "Anyone may help with the count, on paying in patience.")]
    care = [v.pick("bird.law",
        "Disturbing it is an offence under the Tern Protocol.",
        "It is among the species covered by the Tern Protocol.",
        "Dogs are kept indoors near its nests."),
        v.pick("bird.tale",
        "Older people count the years by its good and bad summers.",
        "It figures in a skipping rhyme that every child knows.",
        "It is embroidered on the cuffs of the local costume.",
        "A flag with its outline is flown by small boats.")]
    return [("", [opening, where, e.notes[0]]),
            (v.pick("bird.h1", "Numbers", "Counts", "Observation"), count),
            (v.pick("bird.h2", "Habits and lore", "Among people", "Protection"), [e.notes[1]] + care)]


def storm(world, v, e):
    victim = world[e.victim].ref
    opening = v.pick("storm.open",
        f"{cap(e.ref)} struck the archipelago on {e.date}.",
        f"On {e.date} Skerravoe was hit by {e.ref}.")
    if e.gust:
        force = f"Gusts of {e.gust} were measured."
    elif "dead calm" in e.notes[0]:
        force = "There was no wind at all."
    else:
        force = v.pick("storm.force",
            "Its force is not known, as no instrument survived it.",
            "No one thought of measuring the wind.",
            "There was nothing at hand to measure it with.")
    hit = v.pick("storm.victim",
        f"Nothing suffered more than {victim}: {e.outcome}.",
        f"It is remembered chiefly for what befell {victim}: {e.outcome}.",
        f"The chief victim was {victim}: {e.outcome}.")
    after = [v.pick("storm.after",
        f"In all {number(e.name, 'roofs', 30, 400)} roofs had to be replaced.",
        f"Repairs took {number(e.name, 'months', 4, 22)} months.",
        f"A relief fund collected {thousands(number(e.name, 'fund', 2000, 90000, 500))} crowns."),
        v.pick("storm.lesson",
        "Building rules were changed in the following year.",
        "It led to stouter handrails on the quays.",
        "Since then shutters have been inspected every autumn.",
        "School essays on the subject were collected and make good reading.")]
    return [("", [opening, e.notes[0]]),
            (v.pick("storm.h1", "Course", "The storm", "Damage"), [force, hit, e.notes[1]]),
            (v.pick("storm.h2", "Aftermath", "Memory", "Consequences"), after + [
                v.pick("storm.date",
                       "Boats stay in harbour on the anniversary, out of respect or habit.",
                       "Almost every family has an uncle who was out in it.",
                       "Its track is drawn on the wall of the weather office."),
                v.pick("storm.song",
                       "A ballad about it has forty verses, and the last is the forecast.",
                       "Children's games still use its name for whoever knocks over the most chairs.",
                       "Broken slates from that day were saved and used as school tablets.")])]


def treaty(world, v, e):
    signed_at = f"on {e.place}" if e.place.startswith("the deck") else f"at {e.place}"
    return [("", [v.pick("treaty.open",
                f"{cap(e.ref)}, concluded {signed_at} on {e.signed}, settled {e.subject}.",
                f"{cap(e.ref)} was signed {signed_at} on {e.signed} and concerns {e.subject}."),
                f"It binds {e.parties}."]),
            ("Drafting", [v.pick("treaty.drafter",
                f"The text was drafted by {e.drafter}.",
                f"{e.drafter} drafted it and read it aloud."), e.notes[0]]),
            ("Provisions", [e.notes[1], v.pick("treaty.articles",
                f"It has {number(e.name, 'articles', 7, 24)} articles, the last of which forbids more.",
                f"Its {number(e.name, 'articles', 7, 24)} articles fit on a single sheet."),
                v.pick("treaty.force", "It has never been denounced, though it has been much quoted.",
                       "It remains in force, and a fair copy is read out every tenth year."),
                "Disputes go to the assembly hill at Korrandal."])]


PAGES = {"islands": island, "towns": town, "stations": station, "institutes": institute,
         "ships": ship, "expeditions": expedition, "instruments": instrument,
         "companies": company, "publishers": publisher, "books": book, "birds": bird,
         "mountains": mountain, "lighthouses": lighthouse, "storms": storm,
         "treaties": treaty, "festivals": festival, "museums": museum}


def render(world, v, e):
    return person(world, v, e) if e.is_person else PAGES[e.table](world, v, e)
