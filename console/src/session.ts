// Who looks at the page, and what they may do.

import { computed, signal } from "@preact/signals";
import { request } from "./api/client";
import { asProblem, type Problem } from "./api/problem";
import type { Me, Role } from "./api/types";
import { forgetToken, keepToken, signInNeeded } from "./session-token";

const ORDER: readonly Role[] = ["viewer", "runner", "author", "admin"];

export const me = signal<Me | null>(null);
/** Why the server did not say who looks. */
export const sessionProblem = signal<Problem | null>(null);

export const canRun = computed(() => isAtLeast(me.value, "runner"));
export const canWrite = computed(() => isAtLeast(me.value, "author"));
export const canAdminister = computed(() => isAtLeast(me.value, "admin"));
/** Whether what looks like a secret may be shown on request. */
export const canReveal = canWrite;

function isAtLeast(who: Me | null, role: Role): boolean {
  return who !== null && ORDER.indexOf(who.role) >= ORDER.indexOf(role);
}

/** Asks the server who looks. */
export async function loadSession(): Promise<void> {
  sessionProblem.value = null;
  try {
    me.value = await request<Me>("GET", "me");
    signInNeeded.value = false;
  } catch (thrown) {
    me.value = null;
    const problem = asProblem(thrown);
    sessionProblem.value = problem.status === 401 ? null : problem;
  }
}

/** Says whether the server takes the token. */
export async function signIn(value: string): Promise<boolean> {
  keepToken(value);
  await loadSession();
  return me.value !== null;
}

export function signOut(): void {
  forgetToken();
  me.value = null;
  signInNeeded.value = true;
}
