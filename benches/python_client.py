"""The client in Python that benches/measure compares with: requests and json, used as in the samples of the vendor.

python_client.py start
python_client.py disk URL FILE
python_client.py model full|drawn URL
python_client.py upload URL FILE...
python_client.py call URL TIMES
"""

import json
import os
import sys
import time

import requests

FORM = {"jobId": "6fa5c6c4d3f24ac68bb0a5b2cbb1ea3e", "userId": "gudu|0123456789", "token": "token"}
UNMEASURED_CALLS = 100


def operation(url, name):
    return f"{url}/api/gspLive_backend/sqlflow/job/{name}"


def export(url, name):
    response = requests.post(operation(url, name), data=FORM)
    response.raise_for_status()
    return response


def disk(url, path):
    response = export(url, "exportFullLineageAsJson")
    with open(path, "wb") as file:
        file.write(response.content)
    return f"{len(response.content)} bytes"


def model(kind, url):
    response = export(url, "exportFullLineageAsJson" if kind == "full" else "exportLineageAsJson")
    data = json.loads(response.text)["data"]
    lineage = data if kind == "full" else data["sqlflow"]
    return f"{len(lineage['relationships'])} relationships"


def upload(url, *paths):
    form = {"userId": FORM["userId"], "token": FORM["token"], "dbvendor": "dbvoracle", "jobName": "nightly"}
    files = [("sqlfiles", open(path, "rb")) for path in paths]
    response = requests.post(operation(url, "submitUserJob"), data=form, files=files)
    response.raise_for_status()
    return json.loads(response.text)["data"]["jobId"]


def call(url, times):
    session, url = requests.Session(), operation(url, "displayUserJobSummary")

    def ask():
        state = json.loads(session.post(url, data=FORM).text)
        assert state["data"]["status"] == "success", state

    for _ in range(UNMEASURED_CALLS):
        ask()
    start = time.process_time_ns()
    for _ in range(int(times)):
        ask()
    return str((time.process_time_ns() - start) // int(times))


def start():
    return "started"


if __name__ == "__main__":
    work = {"start": start, "disk": disk, "model": model, "upload": upload, "call": call}[sys.argv[1]]
    print(work(*sys.argv[2:]), flush=True)
    # Without freeing what was read, like the other clients.
    os._exit(0)
