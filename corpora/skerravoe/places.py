"""Pages about places: islands, towns, stations, mountains, lighthouses and what is held in towns."""
from voice import a, both, cap, number, thousands


def island(world, v, e):
    towns = [t.name for t in world.where("towns", island=e.name)]
    lights = world.where("lighthouses", island=e.name)
    size = f"{thousands(e.area_km2)} square kilometres"
    opening = v.pick("island.open",
        f"{e.name} is one of the twelve inhabited islands of Skerravoe, with an area of {size}.",
        f"With {size}, {e.name} belongs to the Skerravoe archipelago.",
        f"{e.name} is an island of Skerravoe and covers {size}.")
    land = [v.pick("island.summit",
        f"The highest point is {e.summit}.",
        f"{e.summit} rises above everything else on the island.",
        f"Nothing on it stands higher than {e.summit}.")]
    if lights:
        land.append(v.pick("island.light",
            f"Ships find it by {lights[0].name}.",
            f"{lights[0].name} stands on its outermost point.",
            f"At night its position is given away by {lights[0].name}."))
    people = [v.pick("island.chief",
        f"{e.chief_town} is the chief settlement.",
        f"Most people live in {e.chief_town}.",
        f"The council of the island meets in {e.chief_town}.")]
    others = [t for t in towns if t != e.chief_town]
    people.append(f"Smaller places are {both(others)}." if len(others) > 1 else
                  f"The only other village is {others[0]}." if others else
                  "There is no other village, although maps pretend otherwise.")
    people.append(v.pick("island.boats",
        "A mail boat calls twice a week in summer and when it can in winter.",
        "Ferries run daily except when the sea says otherwise.",
        "Boats connect it with the neighbouring islands on most days."))
    return [("", [opening, e.notes[0]]),
            (v.pick("island.h1", "Land", "Landscape", "Geography"), land + [e.notes[1]]),
            (v.pick("island.h2", "Settlements", "People", "Towns and villages"), people)]


def town(world, v, e):
    opening = v.pick("town.open",
        f"{e.name} is a town on {e.island}, founded in {e.founded} by {e.settlers}.",
        f"{e.name}, on the island of {e.island}, goes back to {e.founded}, "
        f"when {e.settlers} settled there.",
        f"In {e.founded} {e.settlers} came ashore on {e.island} and founded {e.name}.",
        f"The settlement of {e.name} on {e.island} was founded in {e.founded}; "
        f"the first to live there were {e.settlers}.")
    living = [v.pick("town.trade",
        f"The town lives by {e.trade}.",
        f"Its livelihood is {e.trade}.",
        f"Work here has long meant {e.trade}.",
        f"Asked what the place is for, people answer: {e.trade}."),
        v.pick("town.people",
        f"At the census of 2020 it had {thousands(e.people)} inhabitants.",
        f"The 2020 census counted {thousands(e.people)} people.",
        f"Some {thousands(e.people)} people were registered in 2020.")]
    culture = []
    for f in world.where("festivals", town=e.name):
        culture.append(v.pick("town.festival",
            f"Visitors come in {f.month} for {f.name}.",
            f"Each {f.month} the town keeps {f.name}.",
            f"The great event of the year is {f.name}, in {f.month}."))
    for m in world.where("museums", town=e.name):
        culture.append(v.pick("town.museum",
            f"On a wet day there is {m.ref}.",
            f"Among the sights is {m.ref}."))
    if not culture:
        culture.append(v.pick("town.quiet",
            "There is no museum and no festival, and people are content with that.",
            "Evenings are spent in the parish hall, which doubles as a cinema.",
            "A choir, a rowing club and a library share one building by the water.",
            "Every household keeps a boat, and some keep two."))
    culture.append(v.pick("town.climate",
        "Snow lies from October to May.",
        "In midwinter the sun does not rise for five weeks.",
        "Sheltered by the hills, it has less wind than its neighbours and talks about it more.",
        "The harbour freezes in most years, though seldom for long."))
    culture.append(v.pick("town.lore",
        "Its people are said to be slow to speak and hard to interrupt.",
        "The parish register is complete except for one year, when the ink froze.",
        "A rowing race against the neighbours has been drawn for eleven years.",
        "The bakery opens when the first boat comes in.",
        "Washing lines are lent out, and returning one with pegs is a sign of courtship.",
        "A bench by the quay is reserved for retired captains."))
    return [("", [opening, e.notes[0]]),
            (v.pick("town.h1", "Livelihood", "Trade and population", "Economy"), living),
            (v.pick("town.h2", "Sights", "Character", "Town life"), [e.notes[1]] + culture)]


def station(world, v, e):
    beds = number(e.name, "beds", 4, 38)
    body, target = world[e.institute], world[e.person]
    if e.closed:
        opening = (f"{e.name}, a former research station on {e.island}, was opened by {body.ref} "
                   f"in {e.founded}.")
    else:
        opening = v.pick("station.open",
            f"{e.name} is a research station on {e.island}, opened in {e.founded} "
            f"and run by {body.ref}.",
            f"{cap(body.ref)} has maintained {e.name} on {e.island} since {e.founded}.",
            f"Opened in {e.founded}, {e.name} serves {body.ref} on {e.island}.")
    who = f"the {target.role} {e.person}" if target.is_person else f"the {target.kind} {e.person}"
    if e.relation == "namesake":
        origin = v.pick("station.namesake",
            f"It takes its name from {who}.",
            f"The name honours {who}.",
            f"It was named after {who}.")
    else:
        origin = v.pick("station.founder",
            f"It was founded by {who}.",
            f"The founder was {e.person}.",
            f"It owes its existence to {e.person}, who founded it against advice.")
    tool = world[e.instrument].ref
    stands, lies, are, is_ = ("stood lay were was" if e.closed else "stand lies are is").split()
    site = v.pick("station.site",
        f"The buildings {stands} {e.altitude_m} metres above the sea, with room for {beds} people.",
        f"It {lies} at an altitude of {e.altitude_m} metres and has {beds} beds.",
        f"There {are} bunks for {beds}, at a height of {e.altitude_m} metres.")
    work = [v.pick("station.work",
        f"Its best-known piece of equipment {is_} {tool}.",
        f"Much of the work {is_} done with {tool}.",
        f"The pride of the place {is_} {tool}.")]
    if not e.closed:
        work.append(v.pick("station.field",
            f"Research covers {body.field}.",
            f"Like its sister stations, it contributes to the study of {body.field}.",
            f"The programme is devoted to {body.field}."))
    return [("", [opening, origin]),
            (v.pick("station.h1", "Site", "Location and buildings", "The station"), [site, e.notes[0]]),
            (v.pick("station.h2", "Research", "Work and daily life", "Science"), work + [e.notes[1]])]


def mountain(world, v, e):
    extent = "long" if e.kind == "glacier" else "high"
    opening = v.pick("mount.open",
        f"{e.name} is {a(e.kind)} on {e.island}, {e.size} {extent}.",
        f"At {e.size}, {e.name} is a landmark of {e.island}." if extent == "high" else
        f"{e.name} on {e.island} is {a(e.kind)} with a length of {e.size}.",
        f"{e.name}, {a(e.kind)} on {e.island}, is {e.size} {extent}.")
    verb = "crossed" if e.kind == "glacier" else "climbed"
    first = v.pick("mount.first",
        f"It was first {verb} by {e.climber} in {e.year}.",
        f"The first to have {verb} it was {e.climber}, in {e.year}.",
        f"{e.climber} {verb} it in {e.year}, before anyone else.")
    today = [v.pick("mount.today",
        f"A hut with {number(e.name, 'bunks', 4, 16)} bunks is open from June to September.",
        f"The usual route takes {number(e.name, 'hours', 3, 14)} hours in good weather.",
        f"About {number(e.name, 'visitors', 40, 900, 10)} people make the trip each summer."),
        v.pick("mount.advice",
        "Guides ask for a day's notice and a dry pair of socks.",
        "In fog it is best to sit down and sing.",
        "Parties sign out at the harbour office and are fetched if they forget to sign in.",
        "Maps are unreliable above the snow line, since the snow line moves."),
        v.pick("mount.winter",
        "In winter it is left to the ravens.",
        "Winter visits need a permit from the island council.",
        "The stillest days for a visit fall in April, when the snow is firm and the light is long.")]
    today.append(v.pick("mount.lore",
        "Farmers below it predict rain from the colour of its shadow.",
        "It appears on the back of the old ten-crown note, rather too steep.",
        "Nobody has counted the songs about it, of which most are rude.",
        "A stone from it is built into many a doorstep for luck.",
        "Echoes here come back in a lower voice."))
    return [("", [opening, e.notes[0]]),
            (v.pick("mount.h1", "Exploration", "First visit", "History"), [first, e.notes[1]]),
            (v.pick("mount.h2", "Today", "Visiting", "Access"), today)]


def lighthouse(world, v, e):
    miles, auto = number(e.name, "miles", 9, 24), number(e.name, "auto", 1968, 1991)
    if e.lost:
        opening = (f"{e.name} was a lighthouse on {e.island}, {e.height_m} metres tall, "
                   f"first lit in {e.lit}.")
    else:
        opening = v.pick("light.open",
            f"{e.name} is a lighthouse on {e.island}, {e.height_m} metres tall, first lit in {e.lit}.",
            f"First lit in {e.lit}, {e.name} on {e.island} has a tower of {e.height_m} metres.",
            f"The lighthouse known as {e.name} has stood on {e.island} since {e.lit}; "
            f"its tower measures {e.height_m} metres.")
    design = v.pick("light.design",
        f"The plans were drawn by {e.designer}.",
        f"It was designed by {e.designer}.",
        f"Its designer was {e.designer}.")
    duty = [v.pick("light.keeper",
        f"The first keeper, {e.keeper}, stayed for {number(e.name, 'stay', 11, 41)} years.",
        f"{e.keeper} was its first keeper and trained the next two.",
        f"Its first keeper, {e.keeper}, kept goats at the foot of the tower.")]
    if e.lost:
        duty += [f"In clear weather its lamp was seen at {miles} nautical miles.",
                 f"It was lost in {e.lost}; since then ships have steered by the church tower instead.",
                 "Its oil store survives as a boat shed."]
    else:
        duty += [v.pick("light.range",
            f"The light is visible at {miles} nautical miles.",
            f"In clear air it carries {miles} nautical miles.",
            f"Its range is {miles} nautical miles."),
            v.pick("light.auto",
            f"Since {auto} it has worked without a keeper.",
            f"The last keeper left in {auto}, with the cat.",
            f"A clockwork switch took over from the keepers in {auto}.",
            f"Nobody has lived in it since {auto}, apart from mice.",
            f"Automatic since {auto}, it is visited twice a year by a mechanic."),
            v.pick("light.visit",
            "The tower may be climbed on Sundays.",
            "A small room below the lantern can be rented by the night.",
            "Painters spend three weeks on it every fourth summer.",
            "From the gallery one can see whales in a good August.")]
    return [("", [opening, design]),
            (v.pick("light.h1", "Tower", "Building", "History"), e.notes),
            (v.pick("light.h2", "Service", "Keepers", "The light"), duty)]


def festival(world, v, e):
    crowd = thousands(number(e.name, "crowd", 200, 4200, 50))
    opening = v.pick("fest.open",
        f"{e.name} is held in {e.town} every {e.month}.",
        f"Every {e.month} the people of {e.town} celebrate {e.name}.",
        f"{e.name}, kept each {e.month} in {e.town}, draws some {crowd} visitors.")
    origin = [v.pick("fest.founder",
        f"It was started in {e.founded} by {e.founder}.",
        f"{e.founder} began the custom in {e.founded}.",
        f"The idea came from {e.founder}, and the first was held in {e.founded}."),
        v.pick("fest.honours",
        f"It recalls {world[e.honours].ref}.",
        f"It is held in honour of {world[e.honours].ref}.",
        f"Its origin lies with {world[e.honours].ref}, to which the speeches still refer.")]
    custom = [v.pick("fest.food",
        "Fried dough with cloudberries is eaten by the bucket.",
        "Soup is free for anyone who brings a bowl.",
        "Hot rhubarb juice is the drink of the day.",
        "Bakers sell loaves in the shape of boats."),
        v.pick("fest.end",
        "It ends with a dance that lasts until the first boat leaves.",
        "The evening closes with the bells.",
        "When it is over, everyone sweeps the street in front of somebody else's house.")]
    custom.append(v.pick("fest.rule",
        "There is no entrance fee, but nobody may stand idle.",
        "Strangers are given a task within minutes of arriving.",
        "It has been called off only twice, both times on account of fine fishing weather.",
        "A committee of seven, elected by applause, sees that nothing is improved.",
        "Judges are chosen among people who have lost before."))
    origin.append(v.pick("fest.early",
        "The first time, fewer than thirty people took part, and it rained.",
        "For some years the clergy preached against it and then attended.",
        "It was meant to happen once only.",
        "Early programmes, printed on fish paper, are now rare."))
    return [("", [opening, e.notes[0]]),
            (v.pick("fest.h1", "Origin", "History", "Background"), origin),
            (v.pick("fest.h2", "Customs", "The day", "Programme"), [e.notes[1]] + custom)]


def museum(world, v, e):
    things = thousands(number(e.name, "things", 400, 9000, 10))
    treasure = e.object + " " + world[e.treasure].ref
    opening = v.pick("museum.open",
        f"{cap(e.ref)} in {e.town} opened in {e.founded}.",
        f"{cap(e.ref)} has welcomed visitors to {e.town} since {e.founded}.")
    return [("", [opening, e.notes[0]]),
            ("Collection", [v.pick("museum.founder",
                f"It was founded by {e.founder}.",
                f"{e.founder} founded it, mostly from private savings."),
                v.pick("museum.treasure",
                f"Its greatest treasure is {treasure}.",
                f"Visitors come above all to see {treasure}."),
                f"There are {things} objects in the inventory."]),
            ("Visiting", [e.notes[1], v.pick("museum.hours",
                "It is open from noon until the lamp is lit.",
                "Opening hours depend on the ferry.",
                "In winter the key may be fetched from the bakery.",
                "Admission is free on stormy days.")])]
