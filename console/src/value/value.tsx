// JSON that a stranger wrote, of any size and depth: only what is open is drawn.

import type { ComponentChild } from "preact";
import { useState } from "preact/hooks";
import { stringify } from "../api/json";
import { integer, plural } from "../format";
import { isSecret, maskValue } from "../mask";
import { brief } from "../text";
import { Copy } from "../ui/copy";
import { Masked, MaskedText } from "./masked";

const PAGE = 50;
const OPEN_DEPTH = 4;
const OPEN_SIZE = 12;

interface SectionProps {
  title: string;
  value: unknown;
  /** Said in place of a value that is missing. */
  none?: string;
}

/** A value under a heading; nothing, if there is none. */
export function ValueSection({ title, value, none }: SectionProps) {
  if (value === undefined || value === null || isEmpty(value)) {
    return none ? <section class="part"><h3>{title}</h3><p class="quiet">{none}</p></section> : null;
  }
  return (
    <section class="part">
      <h3>{title} <Copy text={() => stringify(maskValue(value), 2)} /></h3>
      <Value value={value} />
    </section>
  );
}

export function Value({ value }: { value: unknown }) {
  if (!isContainer(value) || isEmpty(value)) return <div class="value"><Leaf value={value} bare /></div>;
  return <div class="value"><Members value={value} depth={0} /></div>;
}

function Members({ value, depth }: { value: object; depth: number }) {
  const [shown, setShown] = useState(PAGE);
  const entries = Object.entries(value);
  const left = entries.length - shown;
  return (
    <ul class="members">
      {entries.slice(0, shown).map(([name, each]) =>
        <Member key={name} name={name} value={each} depth={depth} index={Array.isArray(value)} />)}
      {left > 0 && (
        <li>
          <button type="button" class="link" onClick={() => setShown(shown + PAGE * 4)}>
            Show {integer(Math.min(left, PAGE * 4))} more of {integer(entries.length)}
          </button>
        </li>
      )}
    </ul>
  );
}

interface MemberProps {
  name: string;
  value: unknown;
  depth: number;
  /** The name is a place in a list. */
  index: boolean;
}

function Member({ name, value, depth, index }: MemberProps) {
  const key = <span class={index ? "index" : "key"}>{brief(name, 120) || '""'}</span>;
  if (!index && isSecret(name, value)) {
    return <li>{key} <Masked><Inner value={value} depth={depth} /></Masked></li>;
  }
  if (isContainer(value) && !isEmpty(value)) return <Branch name={key} value={value} depth={depth} />;
  return <li>{key} <Leaf value={value} /></li>;
}

function Inner({ value, depth }: { value: unknown; depth: number }) {
  return isContainer(value) && !isEmpty(value) ? <Members value={value} depth={depth + 1} /> : <Leaf value={value} />;
}

function Branch({ name, value, depth }: { name: ComponentChild; value: object; depth: number }) {
  const size = Object.keys(value).length;
  const [open, setOpen] = useState(depth < OPEN_DEPTH && size <= OPEN_SIZE);
  return (
    <li>
      <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{name} <span class="quiet">{sizeOf(value, size)}</span></summary>
        {open && <Members value={value} depth={depth + 1} />}
      </details>
    </li>
  );
}

const sizeOf = (value: object, size: number) =>
  Array.isArray(value) ? `[${plural(size, "item")}]` : `{${plural(size, "member")}}`;

/** `bare`: a text that stands alone, without quotes. */
function Leaf({ value, bare }: { value: unknown; bare?: boolean }) {
  if (typeof value === "string") {
    const quote = bare && value !== "" ? "" : '"';
    return <span class={`leaf text ${value.includes("\n") ? "lines" : ""}`}>{quote}<MaskedText text={value} limit={600} />{quote}</span>;
  }
  if (isContainer(value)) return <span class="leaf">{Array.isArray(value) ? "[]" : "{}"}</span>;
  return <span class={`leaf ${value === null ? "null" : typeof value}`}>{String(value)}</span>;
}

const isContainer = (value: unknown): value is object => value !== null && typeof value === "object";
const isEmpty = (value: unknown) => isContainer(value) && Object.keys(value).length === 0;
