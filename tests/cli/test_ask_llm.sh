#!/usr/bin/env bash
# `tern ask --llm` against a scripted server: an answer with a citation, moods that pass, and servers
# that babble, talk nonsense, fall silent or are gone. The key is never shown.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
[ -x "${TERN:?}" ] || fail "no program $TERN"
work=$(mktemp -d) || exit 1
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
export TERN_API_KEY=the-secret-key

cat >"$work/server.py" <<'END'
import http.server, json, os, sys, time

def event(text, finish=None):
    choice = {"delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"

class Handler(http.server.BaseHTTPRequestHandler):
    n_moody = 0

    def log_message(self, *args):
        pass

    def begin(self, status, type, *headers):
        self.send_response(status)
        self.send_header("Content-Type", type)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mood = self.path.split("/")[1]
        if self.headers["Authorization"] != "Bearer the-secret-key":
            mood = "denied"
        try:
            getattr(self, mood)(request)
        except BrokenPipeError:
            pass
        self.close_connection = True

    def good(self, request):
        self.begin(200, "text/event-stream")
        if len(request["messages"]) == 1:
            parts = ["<think>look</think>", "<search> Silver", " Branch"]
        else:
            parts = ["<answer>", "Ada Quill"]
        for part in parts:
            self.wfile.write(event(part))
            self.wfile.flush()
        self.wfile.write(event("", "stop") + b"data: [DONE]\n\n")

    def moody(self, request):
        Handler.n_moody += 1
        if Handler.n_moody == 1:
            self.begin(503, "text/plain", ("Retry-After", "0"))
            self.wfile.write(b"warming up")
        else:
            self.good(request)

    def denied(self, request):
        self.begin(401, "application/json")
        self.wfile.write(b'{"error": {"message": "wrong key: the-secret-key"}}')

    def babble(self, request):
        self.begin(200, "text/event-stream")
        while True:
            self.wfile.write(event("and on and on and on ") * 100)

    def nonsense(self, request):
        self.begin(200, "application/json")
        self.wfile.write(b"<html>\x00\xff It works! </html>")

    def silent(self, request):
        self.begin(200, "text/event-stream")
        self.wfile.flush()
        open(sys.argv[1] + "/silent", "w").close()
        time.sleep(30)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + "/port.new", "w") as f:
    f.write(str(server.server_port))
os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
server.serve_forever()
END
python3 "$work/server.py" "$work" 2>"$work/server.log" &
server=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.05; done
url=http://127.0.0.1:$(cat "$work/port") || fail "server: $(cat "$work/server.log")"

mkdir "$work/docs"
printf '# The Silver Branch\n\nThe Silver Branch is a novel. It was written by Ada Quill.\n' \
    >"$work/docs/branch.md"
"$TERN" index -q "$work/ix" "$work/docs" || fail "index"
ask() { # ask MOOD OPTION...
    local mood=$1
    shift
    "$TERN" ask "$work/ix" "Who wrote The Silver Branch?" --llm "$url/$mood" --model m "$@" \
        >"$work/out" 2>"$work/err"
}
expect() { # expect CODE WORDS: the last exit code and what was said
    [ "$1" -eq "$2" ] || fail "exit code $1, not $2: $(cat "$work/out" "$work/err")"
    grep -q "$3" "$work/out" "$work/err" || fail "no '$3' in: $(cat "$work/out" "$work/err")"
    grep -q the-secret-key "$work/out" "$work/err" && fail "the key was shown"
}

ask good -v; expect $? 0 '^Ada Quill \[1\]\|:Ada Quill \[1\]'
ask good --json; expect $? 0 '"answer":"Ada Quill"'
grep -q '"query":"Silver Branch"' "$work/out" || fail "its search: $(cat "$work/out")"
ask moody/v1; expect $? 0 'HTTP 503: warming up; attempt 2 of 4'
ask denied; expect $? 5 'HTTP 401'
ask babble; expect $? 1 'has no end'
ask nonsense; expect $? 5 'not the answer of an OpenAI-compatible server'

# Ctrl-C while the server says nothing.
"$TERN" ask "$work/ix" "Who?" --llm "$url/silent" >"$work/out" 2>"$work/err" &
asking=$!
for _ in $(seq 100); do [ -e "$work/silent" ] && break; sleep 0.05; done
kill -TERM $asking
wait $asking
expect $? 130 'interrupted'
echo ok
