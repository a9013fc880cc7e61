// What the page shows, and when. Everything that comes from elsewhere is put in
// as text, never as HTML.

import { config } from "./config.js";
import { execute } from "./noetl.js";
import { beginSignIn, finishSignIn } from "./oidc.js";
import { Problem } from "./problem.js";

const LOGIN = "api_integration/auth0/auth0_login";
const VALIDATE = "api_integration/auth0/auth0_validate_session";

// The stored session is this one value: whoever holds it is signed in.
const SESSION_TOKEN = "session_token";

const $ = (id) => document.getElementById(id);

async function start() {
  $("provider").textContent = config.providerUrl.replace(/^https?:\/\//, "");
  $("stand-in").hidden = !config.providerUrl.startsWith(`${location.origin}/dev/`);
  $("sign-in").addEventListener("click", beginSignIn);
  $("sign-in-again").addEventListener("click", beginSignIn);
  $("validate").addEventListener("click", validate);
  $("sign-out").addEventListener("click", signOut);

  try {
    const signIn = finishSignIn();
    if (signIn) await login(signIn);
    else if (localStorage.getItem(SESSION_TOKEN)) await validate();
    else show("signed-out");
  } catch (error) {
    show("signed-out");
    showProblem(error);
  }
}

/** Trades the provider's token for a session of ours. */
async function login({ idToken, claims }) {
  show("working", `Running ${LOGIN}`);
  // The playbook takes `client_ip` too; a browser does not know its own, so
  // the playbook's default stands.
  const result = await execute(LOGIN, { auth0_token: idToken });
  if (result.status !== "success") {
    throw new Problem("The login was refused", result.message);
  }
  localStorage.setItem(SESSION_TOKEN, result.session_token);
  showSession("new", { ...result, name: claims.name }, result.steps);
}

/** Asks the server whether the stored session still holds. */
async function validate() {
  const token = localStorage.getItem(SESSION_TOKEN);
  if (!token) return signOut(); // another tab has signed out
  clearProblem();
  if ($("signed-in").hidden) show("working", `Running ${VALIDATE}`);
  $("validate").disabled = true;
  try {
    const result = await execute(VALIDATE, { session_token: token });
    showSession(result.status, result, result.steps);
  } catch (error) {
    showSession("unknown", {}, []);
    showProblem(error);
  } finally {
    $("validate").disabled = false;
  }
}

/** Forgets the session in this browser. On the server it lasts until it expires. */
function signOut() {
  localStorage.removeItem(SESSION_TOKEN);
  show("signed-out");
  $("signed-out-note").hidden = false;
}

const STATUS_TEXT = {
  new: "signed in",
  valid: "valid",
  invalid: "invalid",
  unknown: "not checked",
};

function showSession(status, user, steps) {
  show("signed-in");
  const badge = $("session-status");
  badge.dataset.status = status;
  badge.textContent = STATUS_TEXT[status] ?? status;

  const known = user.user_id !== undefined;
  const name = user.name ?? user.email ?? user.user_id;
  $("user").hidden = !known;
  $("avatar").textContent = known ? [...name][0].toUpperCase() : "";
  $("user-name").textContent = known ? name : "";
  $("user-email").textContent = user.email ?? "";
  $("user-id").textContent = user.user_id ?? "";
  $("session-message").textContent = user.message ?? "";
  $("session-message").hidden = !user.message;
  $("session-token").textContent = localStorage.getItem(SESSION_TOKEN);
  $("sign-in-again").hidden = status !== "invalid";
  $("validate").hidden = status === "invalid";
  showSteps(steps ?? []);
}

/** The steps that the server ran for this answer, each in a sandbox of its own. */
function showSteps(steps) {
  $("steps").hidden = steps.length === 0;
  $("steps-list").replaceChildren(
    ...steps.map(({ step, tool, status, duration_ms }) => {
      const row = document.createElement("tr");
      const time = duration_ms === undefined ? "" : `${Number(duration_ms).toFixed(1)} ms`;
      for (const text of [step, tool ?? "", status ?? "", time]) {
        row.insertCell().textContent = text;
      }
      return row;
    }),
  );
}

/** Shows one of the views `working`, `signed-out` and `signed-in`. */
function show(view, text = "") {
  clearProblem();
  const before = document.querySelector("main > section:not([hidden])");
  for (const section of document.querySelectorAll("main > section")) {
    section.hidden = section.id !== view;
  }
  $("signed-out-note").hidden = true;
  $("working-text").textContent = text;
  // Someone who can't see that the view has changed is taken to its heading.
  if (before && before.id !== view) $(view).querySelector("h2")?.focus();
}

function showProblem(error) {
  // Anything else is a fault of this page, and the console should have it.
  if (!(error instanceof Problem)) console.error(error);
  $("problem-title").textContent = error.title ?? "The page has a fault";
  $("problem-detail").textContent = error.detail ?? (error.title ? "" : String(error));
  $("problem-step").textContent = error.step ? `In the playbook's step “${error.step}”.` : "";
  $("problem").hidden = false;
}

function clearProblem() {
  $("problem").hidden = true;
}

start();
