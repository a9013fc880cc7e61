// OpenID Connect, implicit flow: the browser goes to the provider, and comes
// back with the ID token in the part of the URL behind `#`, which browsers do
// not send to servers.

import { config } from "./config.js";
import { Problem } from "./problem.js";

// What was sent with a sign-in that has not come back yet. sessionStorage is
// kept for one tab, so two tabs can sign in side by side.
const PENDING = "auth0-login.pending";

/** Leaves the page for the provider's sign-in form. */
export function beginSignIn() {
  // `state` ties the answer to this tab, `nonce` ties the token to this answer.
  const pending = { state: randomText(), nonce: randomText() };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));

  const url = new URL(`${config.providerUrl.replace(/\/$/, "")}/authorize`);
  url.search = new URLSearchParams({
    response_type: "id_token",
    client_id: config.clientId,
    redirect_uri: location.origin + location.pathname,
    scope: "openid profile email",
    ...pending,
  });
  location.assign(url);
}

/**
 * Reads the provider's answer out of the URL, and takes it off the URL so that
 * neither a reload nor a bookmark sends the token a second time.
 *
 * Returns `{idToken, claims}`, or null if the page was not opened by a provider.
 * Throws a Problem if the provider refused, or if the answer is not ours.
 */
export function finishSignIn() {
  const answer = new URLSearchParams(location.hash.slice(1));
  if (!answer.has("id_token") && !answer.has("error")) return null;
  history.replaceState(null, "", location.pathname + location.search);

  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
  sessionStorage.removeItem(PENDING);

  if (!pending || answer.get("state") !== pending.state) {
    throw new Problem(
      "That sign-in was not started here",
      "The answer's state is not the one this tab sent. Please sign in again.",
    );
  }
  if (answer.has("error")) {
    throw new Problem(
      answer.get("error") === "access_denied"
        ? "The sign-in was declined"
        : "The identity provider refused the sign-in",
      answer.get("error_description") ?? answer.get("error"),
    );
  }

  const idToken = answer.get("id_token");
  const claims = readClaims(idToken);
  if (claims.nonce !== pending.nonce) {
    throw new Problem(
      "That token belongs to another sign-in",
      "The token's nonce is not the one this tab sent. Please sign in again.",
    );
  }
  return { idToken, claims };
}

/** The claims of a JWT. Reading them proves nothing: that takes the signature. */
function readClaims(token) {
  try {
    const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    throw new Problem(
      "The identity provider sent something that is not a token",
      "Please sign in again. If it happens again, check providerUrl in config.js.",
    );
  }
}

function randomText() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
