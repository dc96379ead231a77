#!/usr/bin/env bash
# `tern serve` as a user runs it: ready line, both dialects, refusals, reload, Ctrl-C, exit codes.
set -u
fail() { echo "FAILED: $*" >&2; exit 1; }
[ -x "${TERN:?}" ] || fail "no program $TERN"
work=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

cat >"$work/docs.jsonl" <<'END'
{"id": "a", "title": "Arctic tern", "text": "The arctic tern flies from pole to pole."}
{"id": "b", "title": "Puffin", "text": "A puffin digs a burrow near the pole of its flag."}
END
"$TERN" index -q "$work/ix" "$work/docs.jsonl" || fail "index"

start() { # start OPTION...: sets server and port
    rm -f "$work/ready" # else the last server's line may still be read
    "$TERN" serve "$work/ix" --port 0 --json "$@" >"$work/ready" 2>"$work/log" &
    server=$!
    for _ in $(seq 100); do
        [ -s "$work/ready" ] && break
        kill -0 "$server" 2>/dev/null || fail "serve ended: $(cat "$work/log")"
        sleep 0.05
    done
    port=$(python3 -c 'import json,sys; print(json.load(sys.stdin)["port"])' <"$work/ready") ||
        fail "ready line: $(cat "$work/ready")"
}

stop() { # stop SIGNAL: must end with 0
    kill "-$1" "$server"
    wait "$server"
    local code=$?
    server=
    [ $code -eq 0 ] || fail "SIG$1: exit code $code"
}

cat >"$work/client.py" <<'END'
import json, sys, urllib.request, urllib.error
base = "http://127.0.0.1:" + sys.argv[1]

def call(path, data=None, type="application/json"):
    body = None if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
    request = urllib.request.Request(base + path, body, {"Content-Type": type})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)

def result(data):
    status, answer = call("/retrieve", data)
    assert status == 200, (status, answer)
    return answer["result"]

[[first, *_], none] = result({"queries": ["arctic", "unheard"], "topk": 2, "return_scores": True})
assert none == [] and first["score"] > 0, first
doc = {"id": "a", "title": "Arctic tern", "text": "The arctic tern flies from pole to pole.",
       "contents": "\"Arctic tern\"\nThe arctic tern flies from pole to pole."}
assert first["document"] == doc, first
assert result({"queries": ["arctic"], "spare": 1}) == [[doc]]
assert result({"query": "arctic", "topk": 0}) == [doc]
assert result({"queries": []}) == []
assert len(result({"query": "pole"})) == 2
status, answer = call("/retrieve", {"queries": "arctic"})
assert status == 422 and answer["field"] == "queries", (status, answer)
assert call("/retrieve", b"{")[0] == 422
assert call("/retrieve")[0] == 405
assert call("/retrieve", {"query": "a"}, "text/plain")[0] == 415
assert call("/nowhere")[0] == 404
status, health = call("/healthz")
assert status == 200 and health["status"] == "ok" and health["passages"] == 2, health
END

start
python3 "$work/client.py" "$port" || fail "client"
"$TERN" serve "$work/ix" --port "$port" >"$work/second" 2>&1
[ $? -eq 1 ] || fail "port in use: exit code"
grep -q "choose another port" "$work/second" || fail "port in use: $(cat "$work/second")"
head -c 70000000 /dev/zero >"$work/big"
python3 - "$port" "$work/big" <<'END' || fail "oversized body"
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
s.sendall(b"POST /retrieve HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 70000000\r\n\r\n")
assert b" 413 " in s.recv(4096)
END
stop INT
grep -q "stopping" "$work/log" || fail "no word at the end: $(cat "$work/log")"

start --reload
echo '{"id": "c", "title": "Auk", "text": "Auks."}' >"$work/more.jsonl"
"$TERN" index -q "$work/ix" "$work/more.jsonl" || fail "second index"
python3 - "$port" <<'END' || fail "reload"
import json, sys, time, urllib.request
for _ in range(100):
    with urllib.request.urlopen("http://127.0.0.1:%s/healthz" % sys.argv[1], timeout=20) as answer:
        if json.load(answer)["passages"] == 3:
            sys.exit(0)
    time.sleep(0.1)
sys.exit(1)
END
stop TERM

"$TERN" serve "$work/none" --port 0 2>/dev/null
[ $? -eq 4 ] || fail "no index: exit code"
for bad in "--port 70000" "--top-k 0" "--mode best" "--timeout 0" "--host"; do
    # shellcheck disable=SC2086 # the words of an option
    "$TERN" serve "$work/ix" $bad 2>/dev/null
    [ $? -eq 2 ] || fail "$bad: exit code"
done
echo ok
