import type { PlaybookMistake } from "./types";

/** Something the person in front of the page should read (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string | null = null,
    readonly body: Record<string, unknown> = {},
  ) {
    super(title);
  }

  /** The last part of its type: `forbidden` of `urn:noetl:problem:forbidden`. */
  get kind(): string {
    return String(this.body.type ?? "").split(":").at(-1) ?? "";
  }

  /** The mistakes in a playbook that it lists. */
  get mistakes(): PlaybookMistake[] {
    return Array.isArray(this.body.errors) ? this.body.errors : [];
  }
}

/** Anything that was thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  return new Problem(0, "The page failed", String(thrown));
}
