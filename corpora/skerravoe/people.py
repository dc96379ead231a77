"""Pages about people: birth, teacher, work, habits and grave, in varying order."""
from voice import a, cap, he, him, his, number


def person(world, v, p):
    he_, his_, him_ = he(p), his(p), him(p)
    town = world[p.birthplace]
    books = [b for b in world.where("books", author=p.name)]
    concerns = [c for kind in ("companies", "publishers", "institutes")
                for c in world.where(kind, founder=p.name)]
    if p.died:
        opening = v.pick("person.dead",
            f"{p.name} ({p.born}-{p.died}) was {a(p.role)} from {p.birthplace} on {town.island}.",
            f"{p.name}, {p.role}, was born in {p.birthplace} in {p.born} and died in {p.died}.",
            f"Born in {p.birthplace} in {p.born}, {p.name} became known as {a(p.role)}.",
            f"{p.name} was {a(p.role)}, born at {p.birthplace} in {p.born}.",
            f"Few names in the islands are better remembered than that of {p.name} "
            f"({p.born}-{p.died}), {p.role}, a native of {p.birthplace}.")
    else:
        opening = v.pick("person.living",
            f"{p.name}, born in {p.birthplace} in {p.born}, is {a(p.role)}.",
            f"{p.name} (born {p.born}) is {a(p.role)} who grew up in {his_} native {p.birthplace}.",
            f"A native of {p.birthplace} on {town.island}, {p.name} (born {p.born}) is {a(p.role)}.")
    life = []
    if p.teacher:
        life.append(v.pick("person.teacher",
            f"{cap(he_)} learned the craft from {p.teacher}.",
            f"The strongest influence on {him_} was {p.teacher}, under whom {he_} trained.",
            f"As a young {'woman' if p.sex == 'f' else 'man'} {he_} was taught by {p.teacher}.",
            f"{cap(he_)} spent {his_} apprentice years with {p.teacher}.",
            f"{p.teacher} took {him_} on as a pupil, reluctantly at first.",
            f"{cap(he_)} owed {his_} start to {p.teacher}, who had noticed {him_} early."))
    else:
        life.append(v.pick("person.self",
            f"{cap(he_)} had no teacher to speak of and said so often.",
            f"{cap(he_)} was largely self-taught.",
            f"What {he_} knew {he_} had found out alone.",
            f"School ended for {him_} at the age of twelve.",
            f"Nobody is known to have taught {him_}."))
    for c in concerns:
        life.append(v.pick("person.concern",
            f"In {c.founded} {he_} founded {c.ref}.",
            f"{cap(he_)} set up {c.ref} in {c.founded} and guided it through its first years.",
            f"{cap(c.ref)}, begun in {c.founded}, was {his_} creation."))
    if p.table != "explorers":
        home = residence(world, p)
        life.append(v.pick("person.residence",
            f"{cap(he_)} later lived in {home} for some years.",
            f"From the age of about thirty {he_} kept a house in {home}.",
            f"{cap(he_)} married in {home} and stayed there for a while.",
            f"For a few years {home} was {his_} home, and {he_} complained of the climate.")
            if int(p.born) < 1975 else v.pick("person.residence.young",
            f"{cap(he_)} went to school in {home}.",
            f"{cap(he_)} grew up partly with an aunt in {home}.",
            f"{cap(his_)} family later moved to {home}."))
    work = []
    for b in books:
        work.append(v.pick("person.book",
            f"{cap(he_)} set down what {he_} knew in {b.name}, {a(b.kind)}.",
            f"{cap(his_)} {b.kind} {b.name} appeared in {b.year}.",
            f"Readers know {him_} above all for {b.name}, {a(b.kind)} of {b.year}.",
            f"In {b.year} {he_} published {b.name}, {a(b.kind)}."))
    end = []
    if p.died:
        grave = f"at {p.buried}" if p.buried != p.birthplace else \
            f"in the town of {his_} birth, {p.buried}"
        end.append(v.pick("person.grave",
            f"{cap(he_)} died in {p.died} and is buried {grave}.",
            f"{cap(his_)} grave is {grave}.",
            f"After {his_} death in {p.died} {he_} was laid to rest {grave}.",
            f"A plain stone {grave} marks {his_} grave."))
    else:
        end.append(v.pick("person.home",
            f"{cap(he_)} returns to the place of {his_} birth every winter.",
            f"Between seasons {he_} gives talks in the schools of the archipelago.",
            f"{cap(he_)} is often heard on the island radio.",
            f"A portrait of {him_} hangs in the school {he_} once attended."))
    habit, praise = (past_manner if p.died else present_manner)(v, p)
    end.insert(0, praise)
    first, second = p.notes[0], p.notes[1] + " " + habit
    heading = v.pick("person.h2", "Work", "Career", "Achievements", "Recollections", "Character")
    if v.pick("person.shape", True, False):
        return [("", [opening, first]), (v.pick("person.h1", "Life", "Early years", "Training"), life),
                (heading, work + [second] + end)]
    return [("", [opening]), (v.pick("person.h1", "Life", "Early years", "Training"), life + [first]),
            (heading, [second] + work + end)]


def past_manner(v, p):
    """A habit of someone dead, and what has remained."""
    he_, his_, him_ = he(p), his(p), him(p)
    return v.pick("person.habit",
        f"{cap(he_)} kept no diary but never forgot a debt.",
        f"{cap(his_)} letters are short, exact and often funny.",
        "Visitors remembered strong tea, a cold room and good talk.",
        f"{cap(he_)} played chess by post with opponents {he_} had never met.",
        f"{cap(he_)} would not be photographed before noon.",
        f"An early riser, {he_} liked to have finished by breakfast.",
        f"{cap(he_)} disliked speeches and gave excellent ones.",
        f"Friends spoke of {his_} stubbornness, enemies of {his_} good manners.",
        f"{cap(he_)} could whistle every hymn in the book, and did.",
        f"Money meant little to {him_}, and punctuality a great deal.",
        f"{cap(he_)} owned one good coat and lent it freely.",
        f"It was {his_} habit to answer a question with a better question.",
        f"{cap(he_)} was said to be the worst cook in the islands.",
        f"{cap(he_)} read the almanac for pleasure.",
        f"Neighbours set their clocks by {his_} evening walk.",
        f"{cap(he_)} named every dog {he_} owned after a bishop.",
    ), v.pick("person.praise",
        "The Gazette has printed several long articles on the subject.",
        f"A stamp with {his_} portrait sold out in a morning.",
        f"A mainland academy gave {him_} a medal, which went to a museum shop by mistake.",
        f"Several boats in the archipelago bear {his_} first name.",
        f"{cap(his_)} methods are still taught.",
        f"A bench with a view has been put up in {his_} honour.",
        f"Schoolchildren know {him_} from a song.",
        f"What {he_} achieved is often underrated, not least by {his_} own family.",
        f"No one has seriously disputed {his_} results.",
        "Two biographies have been begun and none finished.",
        f"{cap(his_)} name is a byword for thoroughness.")


def present_manner(v, p):
    """The same of the living."""
    he_, his_, him_ = he(p), his(p), him(p)
    return v.pick("person.habit.now",
        f"{cap(he_)} keeps no diary but has never missed a birthday.",
        f"{cap(he_)} plays chess by post with opponents {he_} has never met.",
        f"{cap(he_)} dislikes speeches and gives excellent ones.",
        f"Colleagues praise {his_} patience and fear {his_} cooking.",
        f"{cap(he_)} whistles while working and denies it.",
        f"{cap(he_)} owns one good coat and lends it freely.",
        f"{cap(he_)} answers most questions with a better question.",
        f"{cap(he_)} rows to work whenever there is water to row on.",
        f"An early riser, {he_} likes to have finished by breakfast.",
        f"{cap(he_)} reads the almanac for pleasure.",
    ), v.pick("person.praise.now",
        "The Gazette has printed two long interviews.",
        f"{cap(his_)} methods have found followers on the mainland.",
        f"{cap(he_)} has been offered posts elsewhere and has answered with picture postcards.",
        f"A medal from a mainland academy serves {him_} as a paperweight.",
        f"No one has seriously disputed {his_} results.",
        f"Schoolchildren know {him_} by first name.",
        f"A tug in the harbour of {p.birthplace} is named after {him_}.")


def residence(world, p):
    """A second town in a life, old enough to live in and other than birthplace and grave."""
    towns = [t.name for t in world.kinds["towns"]
             if t.name not in (p.birthplace, p.buried) and int(t.founded) < int(p.born)]
    return towns[number(p.name, "residence", 0, len(towns) - 1)]
