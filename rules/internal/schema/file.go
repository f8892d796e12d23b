package schema

// The shape of the rules file. It is what the loader checks every file against before it looks at what the values mean.

var (
	anyText     = &shape{what: "a text", scalar: text}
	aName       = &shape{what: "a name", scalar: text}
	aDuration   = &shape{what: "a duration such as 90s", scalar: word}
	aPhone      = &shape{what: `a phone number such as "+55 11 98888-7777"`, scalar: word}
	aWord       = &shape{what: "a text", scalar: word}
	aCount      = &shape{what: "a whole number, 0 or more", scalar: integer}
	aZone       = &shape{what: "a time zone such as America/Sao_Paulo", scalar: text}
	aWindow     = &shape{what: "a window such as 09:00-18:00", scalar: word}
	windowsText = "`09:00-18:00`, a list of windows, or `closed`"
	someWindows = &shape{what: windowsText, scalar: word, items: aWindow}
	someNames   = &shape{what: "a list of names", items: aName, filled: true}
)

// conditionShape is known to the check, because YAML drops a condition that looks like a tag.
var conditionShape = &shape{what: "a condition", scalar: word}

var fileShape = &shape{what: "a rules file", keys: []key{
	{"version", &shape{what: "the version of the format, 1", scalar: integer}, true,
		"The version of the format of this file. There is one: 1."},
	{"timezone", aZone, true,
		"The time zone, by its IANA name, in which hours, dates and times are read. There is no default."},
	{"language", &shape{what: "a language (en, pt or es)", scalar: text, values: []string{"en", "pt", "es"}}, false,
		"The language in which opens() and closes() write a time in messages: en (Tue 24 Nov, 09:00), pt (ter " +
			"24/11, 09:00) or es (mar 24/11, 09:00). Left out: en."},
	{
		"numbers",
		numbersShape,
		true,
		"The business numbers of this file, by a name of your choice: `on`, the tests and " +
			"the fact `number` use it.",
	},
	{"hours", hoursShape, false, "Plans of opening hours, by name, for open(\"NAME\"), opens(\"NAME\") and " +
		"closes(\"NAME\"). Before the week go holidays, before them dates, and before all a switch that is set at " +
		"run time."},
	{"calendars", calendarsShape, false, "Holidays of your own, by name of the calendar and date, beside the " +
		"public ones (br, pt, us, ...). For `holidays` and holiday(\"NAME\")."},
	{"lists", listsShape, false, "Lists of callers, by name, for listed(\"NAME\"). Numbers may be written in any " +
		"common way, with their country code."},
	{"agents", agentsShape, false, "The humans who answer calls, by name. An agent may stand alone: `ana:`."},
	{"queues", queuesShape, false, "Groups of agents who can be handed a call, by name."},
	{"answers", answersShape, false,
		"How a call is accepted without a human, by name: a file that is played, or an answerer at a url."},
	{"messages", messagesShape, false, "WhatsApp texts, by name, that can be sent to a caller who was rejected."},
	{"limits", limitsShape, false, "Limits of every call."},
	{"rules", rulesShape, false, "The rules, read from top to bottom: the first whose `on` and `when` hold " +
		"applies. When a hand-off or an answer fails, the next rules are tried."},
	{"default", actionShape, true,
		"What happens when no rule decides: reject or accept. A hand-off for everybody is a last rule without `when`."},
	{"on_error", actionShape, false, "What happens when the rules cannot be evaluated, for example when the store " +
		"is down: reject or accept. Left out: the default."},
	{"tests", testsShape, false, "Made-up calls with what must become of them. They run whenever the file is " +
		"loaded: a file whose tests fail is refused."},
}}

var numbersShape = &shape{what: "business numbers by name", named: true, filled: true, each: &shape{
	what: "{phone: ..., positus_id: ...}", keys: []key{
		{"phone", aPhone, true, "The business number, with its country code, in any common spelling."},
		{"positus_id", aWord, false, "The number's id in the Positus API (NUMBER_ID)."},
	}}}

var hoursShape = &shape{what: "hours by name", named: true,
	each: &shape{what: "hours: {weekly: ..., dates: ...}", filled: true, keys: []key{
		{"timezone", aZone, false, "The time zone of these hours alone, by its IANA name. Left out: the file's."},
		{"weekly", &shape{what: "windows by day, such as {mon-fri: 09:00-18:00}", each: someWindows}, false,
			"Windows by day: `mon`, `mon-fri`, `\"mon,wed\"` or `daily`. A day that is not named is closed. " +
				"`22:00-06:00` runs past midnight and belongs to the day on which it starts."},
		{"holidays", &shape{what: "a list of calendars, such as [br]", items: &shape{
			what: "a calendar, or {br: {without: [Carnaval]}}", scalar: text, filled: true, each: &shape{
				what: "{without: [names of holidays]}", filled: true, keys: []key{
					{"without", &shape{what: "a list of names of holidays", items: anyText, filled: true}, true,
						"Names of holidays of the calendar that are not taken off."}}}}},
			false, "Calendars whose holidays count as closed: public ones (br, pt, us, ...) and your own."},
		{"dates", &shape{what: "windows by date, such as {12-31: closed}", each: someWindows}, false,
			"Exceptions, which go before holidays and the week: a day (`2026-12-24`), the same day of each year " +
				"(`12-31`) or a range (`2027-02-08..2027-02-10`), with windows or `closed`."},
	}}}

var calendarsShape = &shape{what: "calendars by name", named: true, each: &shape{
	what: "names of holidays by date, such as {01-25: City day}, or {file: ...}", each: aWord, filled: true,
	keys: []key{
		{"file", anyText, false, "Path, relative to this file, of an iCalendar file (.ics). Each day that one of its " +
			"events covers is a holiday."},
	}}}

var listsShape = &shape{what: "lists by name", named: true, each: &shape{
	what: "a list of numbers, {file: ...} or {store: true}",
	items: &shape{what: "a phone number, or {number: ..., note: ..., until: ...}", scalar: word, keys: []key{
		{"number", aPhone, false, "The caller's number, with its country code, in any common spelling."},
		{"id", aWord, false, "The user id of a caller who hides the number. An entry has either a number or an id."},
		{"note", aWord, false, "A remark for people; it decides nothing."},
		{"until", &shape{what: "a date such as 2027-01-31", scalar: word}, false, "Until when the entry counts: a " +
			"date, to its end, or an instant with its offset (2027-01-31T18:00:00-03:00)."},
	}},
	keys: []key{
		{"file", anyText, false, "Path, relative to this file, of a text file with one number (or id:...) a line; " +
			"what stands behind # is a comment."},
		{"store", &shape{what: "true", scalar: boolean, values: []string{"true"}}, false,
			"The list is kept at run time, in the store: `callrouter lists add NAME +55...`."},
	}}}

var agentsShape = &shape{what: "agents by name", named: true,
	each: &shape{what: "{name: ..., capacity: ...}", bare: true, keys: []key{
		{"name", aWord, false, "The name that people see. Left out: the key."},
		{"capacity", aCount, false, "How many calls the agent takes at once. Left out: 1."},
	}}}

var queuesShape = &shape{what: "queues by name", named: true, each: &shape{what: "{agents: [...], ...}", keys: []key{
	{"agents", someNames, true, "The agents who are offered the calls, by their names under `agents`."},
	{"strategy", &shape{what: "a strategy", scalar: text, values: []string{
		"longest_idle", "round_robin", "least_busy", "in_order", "ring_all"}}, false, "In which order agents are " +
		"offered a call: longest_idle (the default), round_robin, least_busy, in_order (as they stand here), " +
		"or ring_all (all who are free at once; the first to answer has it)."},
	{"ring", aDuration, false, "How long one agent's phone rings before the next is tried. Left out: 10s."},
	{"wrap_up", aDuration, false, "How long an agent gets no new call after one ends. Left out: 0s."},
	{"away_after", aCount, false, "How many missed offers in a row set an agent away; 0: never. Left out: 3."},
}}}

var answersShape = &shape{what: "answers by name", named: true,
	each: &shape{what: "{play: FILE} or {url: URL}", keys: []key{
		{"play", anyText, false, "Path, relative to this file, of an Ogg Opus file: it is played, then the call " +
			"is hung up."},
		{"url", anyText, false, "Where an answerer of yours gets the SDP offer and returns the SDP answer."},
		{"timeout", aDuration, false, "How long the answerer at the url may take. Left out: 3s."},
	}}}

var messagesShape = &shape{what: "messages by name", named: true,
	each: &shape{what: "a text, or {text: ..., at_most_every: ...}", scalar: text, keys: []key{
		{"text", anyText, true, "The text. It may hold expressions, such as ${opens('office')} or ${caller.name}; " +
			"$${ is a literal ${."},
		{"at_most_every", aDuration, false,
			"How long the same caller does not get this message again. Left out: it is sent every time."},
	}}}

var limitsShape = &shape{what: "{answer_within: ..., max_call: ...}", keys: []key{
	{"answer_within", aDuration, false, "How long a call may take to be answered, from its own timestamp; " +
		"WhatsApp gives up after 30 to 60 s. Left out: 25s."},
	{"max_call", aDuration, false, "How long a call may last before it is hung up. Left out: 1h."},
}}

var rulesShape = &shape{what: "a list of rules",
	items: &shape{noun: "rule", what: "a rule: {name: ..., when: ..., then: ...}", keys: []key{
		{"name", aWord, true, "The rule's name: free text, each name once. Traces, tests and metrics show it."},
		{"on", &shape{what: "a list of names under numbers", items: aName, filled: true}, false,
			"The business numbers that the rule is for, by their names under `numbers`. Left out: every number."},
		{"when", conditionShape, false, "The condition, such as: caller.country == \"BR\" and not open(\"office\"). " +
			"Facts: caller.number, .id, .name, .country, .area, number, payload, now, today, clock, weekday; " +
			"open(H), opens(H), closes(H), holiday(C), listed(L), free(Q), online(Q), waiting(Q), calls(\"1h\"). Left out: " +
			"it always holds."},
		{"then", actionShape, true,
			"What is done with the call: reject, accept it with an answer, or hand it off to a queue."},
	}}}

var actionShape = &shape{what: "an action: `reject`, {accept: NAME} or {handoff: QUEUE}", scalar: text,
	values: []string{"reject"}, filled: true, keys: []key{
		{"reject", &shape{what: "{message: NAME}",
			keys: []key{{"message", aName, false,
				"The message that is sent to the caller, by its name under `messages`."}}}, false,
			"Reject the call, and send the caller a message."},
		{"accept", &shape{what: "the name of an answer", scalar: text}, false,
			"Accept the call without a human, with the answer of this name under `answers`."},
		{"handoff", &shape{what: "the name of a queue, or {queue: ..., ring: ..., wait: ...}", scalar: text,
			keys: []key{
				{"queue", aName, true, "The queue whose agents are offered the call, by its name under `queues`."},
				{"ring", aDuration, false, "How long one agent's phone rings. Left out: what the queue says."},
				{"wait", aDuration, false, "How long to wait, in all, while nobody can be rung. Left out: 0s."},
			}}, false, "Offer the call to the agents of a queue. If nobody picks up, the next rules are tried."},
	}}

var counts = &shape{what: "numbers by queue, such as {sales: 1}", each: aCount}

var testsShape = &shape{what: "a list of tests",
	items: &shape{noun: "test", what: "a test: {name: ..., call: ..., expect: ...}", keys: []key{
		{"name", aWord, true, "The test's name: free text, each name once."},
		{"call", &shape{what: "{from: ..., to: ..., at: ...}", keys: []key{
			{"from", aWord, false, "The caller's number, with its country code, or `withheld`."},
			{"id", aWord, false, "The caller's user id, for one who hides the number."},
			{"to", aName, false,
				"The business number that is called, by its name under `numbers`. Left out: the first."},
			{"at", &shape{what: `a time such as "2026-11-23 22:15"`, scalar: word}, true, "When the call comes in: " +
				"\"2026-11-23 22:15\" in the file's time zone, or with its offset as in 2026-11-23T22:15:00-03:00."},
			{"name", aWord, false, "The caller's profile name."},
			{"payload", aWord, false, "The payload of the button or link that the call came by."},
		}}, true, "The made-up call."},
		{"given", &shape{what: "{free: ..., listed: ..., ...}", keys: []key{
			{"free", counts, false, "How many calls the agents of a queue could take now, by queue. Left out: every " +
				"agent is free."},
			{"online", counts, false,
				"How many agents of a queue are connected and available, by queue; 0: none is free either."},
			{"waiting", counts, false, "How many calls wait, by queue. Left out: 0."},
			{"listed", &shape{what: "a list of names of lists", items: aName}, false,
				"Lists the caller is on, besides those of the file that hold the number."},
			{"calls", aCount, false, "How many calls the caller has made before, within whatever time is asked for. " +
				"Left out: 0."},
			{"switch", &shape{what: "open or closed by hours",
				each: &shape{what: "open or closed", scalar: text, values: []string{"open", "closed"}}}, false,
				"Hours that are switched open or closed by hand."},
			{"no_answer", &shape{what: "a list of queues", items: aName}, false,
				"Queues whose agents are free, and none of them picks up."},
			{"fails", &shape{what: "a list of answers", items: aName}, false, "Answers that fail."},
			{"store", &shape{what: "down", scalar: text, values: []string{"down"}}, false,
				"`down`: the store cannot be reached."},
		}}, false, "The state of the world in which the call comes in. Left out: agents are free and pick up, nobody " +
			"waits, store lists are empty."},
		{"expect", &shape{what: "{action: ..., rule: ..., ...}", filled: true, keys: []key{
			{"action", &shape{what: "an action", scalar: text, values: []string{"accept", "reject", "handoff"}}, false,
				"What is done with the call: accept, reject or handoff."},
			{"rule", aWord, false, "The name of the rule that decides."},
			{"by", &shape{what: "what decides", scalar: text, values: []string{"rule", "default", "on_error"}}, false,
				"What decides: a rule, the default, or on_error."},
			{"queue", aName, false, "The queue that the call is handed to."},
			{"answer", aName, false, "The answer that the call is accepted with."},
			{"message", anyText, false, "The message that the caller is sent: its name, or its text as it is sent."},
		}}, true, "What must become of the call: only what is named here is compared."},
	}}}

// testFileShape is the shape of a test file: tests that stand apart from the rules they are of.
var testFileShape = &shape{what: "a test file", keys: []key{
	{"rules", &shape{what: "the path of a rules file", scalar: text}, true,
		"Path of the rules file that these tests are of, relative to this file."},
	{"tests", testsShape, true, "The tests. They are written as in the rules file itself."},
}}
