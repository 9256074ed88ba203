// A job and its exports with Node's fetch. Arguments: the URL of the server, the user ID and the secret key.
// Prints one JSON object: the status at each poll, and the exports.

const [server, user, secret] = process.argv.slice(2);
const sql = "insert into t (a, b) select x, upper(y) from s where z > 1";

async function post(path, fields) {
  const response = await fetch(server + "/gspLive_backend" + path, {
    method: "POST",
    body: fields instanceof FormData ? fields : new URLSearchParams(fields),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.text();
}

const token =
  user === "gudu|0123456789"
    ? "token"
    : JSON.parse(await post("/user/generateToken", { userId: user, secretKey: secret })).token;
const who = { userId: user, token };

const form = new FormData();
for (const [name, value] of Object.entries({ ...who, dbvendor: "dbvoracle", jobName: "node" })) form.append(name, value);
form.append("sqlfiles", new Blob([sql]), "a.sql");
const submitted = JSON.parse(await post("/sqlflow/job/submitUserJob", form));
const about = { ...who, jobId: submitted.data.jobId };

const statuses = [];
do {
  if (statuses.length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  statuses.push(JSON.parse(await post("/sqlflow/job/displayUserJobSummary", about)).data.status);
} while (["create", "process"].includes(statuses.at(-1)));

const direct = { ...who, dbvendor: "dbvoracle", sqltext: sql };
const exports = {
  json: await post("/sqlflow/job/exportLineageAsJson", about),
  csv: await post("/sqlflow/job/exportLineageAsCsv", about),
  graphml: await post("/sqlflow/job/exportLineageAsGraphml", about),
  "direct json": await post("/sqlflow/generation/sqlflow", direct),
  "direct csv": await post("/sqlflow/generation/sqlflow/exportLineageAsCsv", direct),
};

const faults = server + "/emulator/faults";
await fetch(faults, { method: "POST", body: "503,on=displayUserJobSummary,times=1" });
exports.fault = await post("/sqlflow/job/displayUserJobSummary", about).then(
  () => "none",
  (error) => error.message,
);
await fetch(faults, { method: "DELETE" });
console.log(JSON.stringify({ statuses, exports }));
