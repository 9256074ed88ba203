"""A job and its exports as the vendor's Python client does them, with `requests` or the standard library.

Arguments: the URL of the server, `requests` or `urllib`, the user ID and the secret key (empty on premise).
Prints one JSON object: the status at each poll, and the exports.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

SERVER, LIBRARY, USER, SECRET = sys.argv[1:5]
SQL = b"insert into t (a, b) select x, upper(y) from s where z > 1"


def post(path, fields, file=None):
    """Sends a form, or a multipart body if there is a file, and returns the body of the response."""
    url = SERVER + path
    if LIBRARY == "requests":
        import requests

        files = {"sqlfiles": ("a.sql", file)} if file is not None else None
        response = requests.post(url, data=fields, files=files, timeout=30)
        response.raise_for_status()
        return response.text
    if file is None:
        body, content_type = urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded"
    else:
        parts = [
            '--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % pair for pair in fields.items()
        ]
        head = '--b\r\nContent-Disposition: form-data; name="sqlfiles"; filename="a.sql"\r\n\r\n'
        body = "".join(parts).encode() + head.encode() + file + b"\r\n--b--\r\n"
        content_type = "multipart/form-data; boundary=b"
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        return response.read().decode()


def image(fields):
    """Draws SQL, as the format "diagram"."""
    request = urllib.request.Request(
        SERVER + "/gspLive_backend/sqlflow/generation/sqlflow/graph/image", urllib.parse.urlencode(fields).encode()
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        return response.read()


def control(method, path, body=None):
    """Uses the emulator's own paths."""
    request = urllib.request.Request(SERVER + path, body and body.encode(), method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        return json.loads(response.read())


def token():
    """On premise, the literal token is sent without asking for one."""
    if USER == "gudu|0123456789":
        return "token"
    answer = json.loads(post("/gspLive_backend/user/generateToken", {"userId": USER, "secretKey": SECRET}))
    assert answer["code"] == "200", answer
    return answer["token"]


def main():
    who = {"userId": USER, "token": token()}
    fields = dict(who, dbvendor="dbvoracle", jobName="python " + LIBRARY)
    submitted = json.loads(post("/gspLive_backend/sqlflow/job/submitUserJob", fields, SQL))
    assert submitted["code"] == 200, submitted
    about = dict(who, jobId=submitted["data"]["jobId"])

    statuses = []
    while not statuses or statuses[-1] in ("create", "process"):
        if statuses:
            time.sleep(0.02)
        statuses.append(json.loads(post("/gspLive_backend/sqlflow/job/displayUserJobSummary", about))["data"]["status"])

    job = "/gspLive_backend/sqlflow/job/"
    direct = dict(who, dbvendor="dbvoracle", sqltext=SQL.decode())
    exports = {
        "json": post(job + "exportLineageAsJson", dict(about, tableToTable="false")),
        "csv": post(job + "exportLineageAsCsv", dict(about, tableToTable="false")),
        "graphml": post(job + "exportLineageAsGraphml", dict(about, tableToTable="false")),
        "direct json": post("/gspLive_backend/sqlflow/generation/sqlflow", direct),
        "direct csv": post("/gspLive_backend/sqlflow/generation/sqlflow/exportLineageAsCsv", direct),
    }

    assert image(direct).startswith(b"\x89PNG"), "no image"
    control("POST", "/emulator/faults", "503,on=displayUserJobSummary,times=1")
    try:
        post("/gspLive_backend/sqlflow/job/displayUserJobSummary", about)
        exports["fault"] = "none"
    except Exception as error:
        exports["fault"] = str(error)
    control("DELETE", "/emulator/faults")
    json.dump({"statuses": statuses, "exports": exports}, sys.stdout)


main()
