"""Begins a run, follows it to its end, and prints its status and text.

    RUNGATE_URL=http://127.0.0.1:8080 RUNGATE_KEY=rgk_… python3 examples/python/run.py [provider] [workflow]

Python 3.9 or later, standard library only.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

STARTS_MAX = 3
PAUSE_S = 1
PAUSE_S_MAX = 60
CALL_S_MAX = 60  # longer than any wait that is asked for below


class Refused(Exception):
    """Rungate answered with an error in place of a run."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.error = error


def required_variable(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"{name} is not set")
    return value


def call(path, headers, body=None):
    request = urllib.request.Request(
        required_variable("RUNGATE_URL") + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {required_variable('RUNGATE_KEY')}",
            "Content-Type": "application/json",
            **headers,
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=CALL_S_MAX) as response:
            return json.load(response)
    except urllib.error.HTTPError as answer:
        raise Refused(json.load(answer)["error"]) from None


def start(body):
    """Begins the run, and again only where Rungate promises that this cannot begin a second one."""
    # The same key each time: it is what lets a request whose answer was lost be sent again.
    headers = {"Prefer": "wait=10", "Idempotency-Key": str(uuid.uuid4())}
    for starts in range(1, STARTS_MAX + 1):
        try:
            return call("/runs", headers, body)
        except Refused as refused:
            if not refused.error["retryable"] or starts == STARTS_MAX:
                raise
            print(f"{refused.error['code']}, trying again")
            time.sleep(min(refused.error["retry_after_s"] or PAUSE_S, PAUSE_S_MAX))


def settled(run):
    """Waits until the run has ended or waits for somebody; a wait that runs out is no error."""
    while run["status"] in ("queued", "running", "cancelling"):
        run = call(f"/runs/{run['id']}", {"Prefer": "wait=30"})
    return run


def main(provider="ai-tutor", workflow="wf_abc123"):
    inputs = {"story": "a fox and a gateway"}
    run = settled(start({"provider": provider, "workflow": workflow, "inputs": inputs}))
    print(f"status: {run['status']}")
    if run["waiting"]:
        print(f"waits for: {run['waiting']['for']}; resume it with POST /runs/{run['id']}/resume")
        return
    print(f"text: {(run['output'] or {}).get('text') or ''}")
    if run["error"]:
        raise Refused(run["error"])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except Refused as refused:
        sys.exit(str(refused))
    except (OSError, ValueError) as fault:  # no connection, or what answers is not Rungate
        sys.exit(f"no answer from {os.environ['RUNGATE_URL']}: {fault}")
