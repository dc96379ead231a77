"""The corpus's records: the dated bulletins of the Gazette and the register of wrecks.

A bulletin states its date in its text and in its timestamp, and replaces the one before it in its
series. Earlier bulletins stay in the corpus, so the newest must be told from the outdated.
"""
from voice import a, cap, number


def bulletin(world, v, b):
    """(title, text) of a bulletin."""
    title, news, rest = SERIES[b.kind](world, v, b)
    day = v.pick("gazette.day",
                 f"Skerravoe Gazette, {b.day}.", f"From the Gazette of {b.day}.",
                 f"Brimsvoe, {b.day}.", f"Published on {b.day}.")
    return title, " ".join([day, news, b.note] + ([rest] if rest else []))


# Each of the following gives (title, news, what there is to add after the bulletin's own remark).
def leader(world, v, b):
    old = b.previous and b.previous.value
    out = (v.pick("leader.old",
        f"The post was held until now by {old}, who was thanked with a cake.",
        f"{old} handed over the keys the same afternoon.",
        f"The predecessor, {old}, leaves after {years(b)}.") if old else v.pick("leader.none",
        "The post had been vacant since the winter.",
        "The previous leader has retired to the mainland."))
    return (v.pick("leader.title", f"New leader at {b.subject}", f"{b.subject} changes hands",
                   f"{b.subject}: leader appointed"),
            v.pick("leader.text",
        f"{b.value} has been appointed leader of {b.subject}.",
        f"The new leader of {b.subject} is {b.value}.",
        f"{b.subject} has a new leader: {b.value} took up the post today.",
        f"As of today {b.value} leads {b.subject}."),
            out)


def port(world, v, b):
    ship = world[b.subject]
    old = b.previous.value if b.previous else ship.port
    return (v.pick("port.title", f"{b.subject} moves to {b.value}", f"New home port for {ship.ref}",
                   f"{b.subject} changes port"),
            v.pick("port.text",
        f"The {ship.kind} {b.subject} has exchanged her home port of {old} for {b.value}.",
        f"From today the home port of {ship.ref} is {b.value} and no longer {old}.",
        f"{cap(ship.ref)} left {old} for the last time this week; her home port is now {b.value}.",
        f"{b.value} is the new home port of the {ship.kind} {b.subject}, hitherto stationed at {old}."),
            v.pick("port.more", "A small crowd stood on the quay.",
                           "The harbour master expects no difficulty in finding her a berth.",
                           "The crew voted on the move and were almost unanimous."))


def fare(world, v, b):
    start, end = b.subject.removesuffix(" ferry").split("-")
    old = f" instead of {b.previous.value}" if b.previous else ""
    return (v.pick("fare.title", f"Fares on the {b.subject}", f"{start} to {end}: new price"),
            v.pick("fare.text",
        f"Sound Ferries announces that a single ticket from {start} to {end} now costs {b.value}{old}.",
        f"The price of a single crossing between {start} and {end} is {b.value}{old} from today.",
        f"Passengers on the {b.subject} now pay {b.value}{old} for a single ticket."),
            "")


def record(title, *texts):
    def tell(world, v, b):
        old = f"The previous figure, {b.previous.value}, had stood since {b.previous.date[:4]}." \
            if b.previous else "Earlier figures are not thought reliable."
        return title, v.pick(b.kind, *texts).format(value=b.value), old
    return tell


def census(world, v, b):
    old = f"The count before this, in {b.previous.date[:4]}, gave {b.previous.value}." \
        if b.previous else "It is the first count made with the help of cameras."
    return "Arctic tern census", v.pick("census",
        f"The Tern and Auk Society has counted {b.value} of the Arctic tern on Skarvey this summer.",
        f"There are {b.value} of the Arctic tern on Skarvey, according to this year's census.",
        f"This summer's census found {b.value} of the Arctic tern on Skarvey."), old


def director(world, v, b):
    place = world[b.subject].ref
    old = f"The outgoing director is {b.previous.value}." if b.previous else \
        "The board had searched for a year."
    return (v.pick("director.title", f"Director chosen for {place}", f"{b.subject}: new director"),
            v.pick("director.text",
        f"{b.value} is the new director of {place}.",
        f"The board of {place} has chosen {b.value} as director.",
        f"{cap(place)} is from now on directed by {b.value}."),
            old)


def mayor(world, v, b):
    old = f"{b.previous.value} did not stand again." if b.previous else \
        "The turnout was high for a Monday."
    return (v.pick("mayor.title", f"{b.subject} elects a mayor", f"New mayor in {b.subject}"),
            v.pick("mayor.text",
        f"{b.value} has been elected mayor of {b.subject}.",
        f"The voters of {b.subject} have made {b.value} their mayor.",
        f"{b.subject} has a new mayor, {b.value}."),
            old)


def years(b):
    """How long the one before was in office, in words."""
    n = int(b.date[:4]) - int(b.previous.date[:4])
    return "three four five six seven eight nine ten".split()[n - 3] + " years"


SERIES = {
    "leader": leader, "port": port, "fare": fare, "census": census, "director": director,
    "mayor": mayor,
    "gust": record("Wind record",
        "A gust of {value} is the strongest gust of wind ever measured in the archipelago.",
        "The wind record has fallen: a gust of {value} is now the strongest on the books.",
        "The weather service confirms {value} as the new record for a gust of wind."),
    "core": record("Ice core record",
        "The borehole on Corvin Dome has yielded the longest ice core in the islands, at {value}.",
        "At {value}, the ice core raised on Corvin Dome is the longest yet.",
        "A new longest ice core, {value} from end to end, has come up on Corvin Dome."),
    "flight": record("Migration record",
        "An Arctic tern ringed on Skarvey has covered {value} in a year, the longest migration "
        "tracked so far.",
        "The longest tern migration tracked to date now stands at {value}.",
        "With {value} in one round trip a tern from Skarvey holds the migration record."),
}


def wreck(world, v, w):
    depth = number(w.name, "depth", 6, 58)
    where = f"{'off' if world[w.place].table == 'islands' else 'outside'} {w.place}"
    load = f"She carried {w.cargo}." if w.cargo else "She carried no cargo."
    text = v.pick("wreck.text",
        f"The {w.kind} {w.name} was lost {where} in {w.year}, owing to {w.cause}. {load} "
        f"She lies in {depth} metres of water.",
        f"{cap(a(w.kind))}, {w.ref} went down {where} in {w.year}. The cause was {w.cause}. {load} "
        f"The depth is {depth} metres.",
        f"In {w.year} the {w.kind} {w.name} sank {where}. {load} The inquiry blamed {w.cause}. "
        f"What is left of her rests at {depth} metres.")
    return f"Wreck of the {w.name}", text + " " + " ".join(w.notes)
