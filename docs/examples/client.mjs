// A client of the ledger to copy, for Node 18 or newer, and for browsers but for its end.
//
//   COIN_API=http://127.0.0.1:8000 COIN_API_KEY=pc_… node client.mjs alice a-nonce
//
// gives alice ten credits and prints her balance. Run again with the same nonce it
// prints the same: whoever does not know whether a write arrived sends it again as it was.

const WAIT_SECONDS = 20;
const BACKOFF_SECONDS = 0.2;
const BACKOFF_SECONDS_MAX = 20;
// Too much is asked for, or somebody on the way is away.
const LATER = new Set([429, 502, 503, 504]);
const UNFINISHED = new Set(["queued", "running"]);

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

export class Refused extends Error {
  constructor(problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.problem = problem;
  }
}

export class Coin {
  constructor(api, key, { patienceSeconds = 120 } = {}) {
    this.api = api;
    this.key = key;
    this.patience = patienceSeconds * 1000;
  }

  // Returns what became of a write; its nonce makes it safe to send again.
  async write(path, body) {
    const deadline = Date.now() + this.patience;
    let answer = await this.#ask("POST", path, deadline, body);
    if (answer.status === 201) return answer.body;
    // 202: accepted, and not finished while we waited.
    while (UNFINISHED.has(answer.body.state)) {
      if (Date.now() > deadline) throw new Error(`${answer.body.links.self} is not finished`);
      await sleep(answer.retryAfter);
      answer = await this.#ask("GET", `${answer.body.links.self}?wait=${WAIT_SECONDS}`, deadline);
    }
    if (answer.body.state !== "succeeded") throw new Refused(answer.body.problem);
    return answer.body.result;
  }

  // Returns an owner's balance, not older than a version you know of.
  async balance(owner, minVersion = 0) {
    const path = `/ledger/${encodeURIComponent(owner)}?min_version=${minVersion}`;
    return (await this.#ask("GET", path, Date.now() + this.patience)).body;
  }

  // Sends the same until there is an answer, ever more rarely.
  async #ask(method, path, deadline, body) {
    for (let tries = 1; ; tries += 1) {
      let reason;
      let least = 0;
      try {
        const answer = await this.#askOnce(method, path, body);
        if (answer.status < 400) return answer;
        // An expired job was never begun, and will not be: its nonce is used up.
        if (!LATER.has(answer.status) || answer.body.code === "job_expired") {
          throw new Refused(answer.body);
        }
        reason = new Error(`status ${answer.status}`);
        least = answer.retryAfter;
      } catch (error) {
        if (error instanceof Refused) throw error;
        reason = error; // whether it arrived is not known
      }
      // Any time up to a ceiling that doubles: clients must not come in waves.
      const ceiling = Math.min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2 ** tries);
      const seconds = least + Math.random() * ceiling;
      if (Date.now() + seconds * 1000 > deadline) throw reason;
      await sleep(seconds);
    }
  }

  async #askOnce(method, path, body) {
    const response = await fetch(this.api + path, {
      method,
      headers: {
        "X-API-Key": this.key,
        "Content-Type": "application/json",
        Prefer: `wait=${WAIT_SECONDS}`,
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout((WAIT_SECONDS + 10) * 1000),
    });
    const text = await response.text();
    let said;
    try {
      said = JSON.parse(text);
    } catch {
      said = { detail: text.slice(0, 200) }; // a proxy's page
    }
    const retryAfter = Number(response.headers.get("Retry-After")) || 0;
    return { status: response.status, retryAfter, body: said };
  }
}

if (typeof process !== "undefined" && process.argv[1]?.endsWith("client.mjs")) {
  const [owner, nonce] = process.argv.slice(2);
  const coin = new Coin(process.env.COIN_API, process.env.COIN_API_KEY);
  const body = { owner_id: owner, operation: "CREDIT_ADD", nonce };
  const made = await coin.write("/ledger", body);
  const shown = await coin.balance(owner, made.transfer.credit.version);
  console.log(shown.balance);
}
