// Talks to the server: one call runs one playbook and answers with its result.

import { config } from "./config.js";
import { Problem } from "./problem.js";

/** Runs the playbook at `path`; throws a Problem if it did not run to its end. */
export async function execute(path, payload) {
  let response;
  try {
    response = await fetch(`${config.serverUrl}/api/execute`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ path, payload }),
    });
  } catch {
    throw new Problem(
      "The server can't be reached",
      `No answer from ${config.serverUrl}. Is it running?`,
    );
  }

  // Failures are problem documents (RFC 9457), which are JSON too. What is not
  // JSON came from something between here and the server.
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new Problem(
    answer?.title ?? `The server answered ${response.status}, which the page can't read`,
    answer?.detail,
    answer?.step,
  );
}
