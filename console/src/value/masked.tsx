import { createContext, type ComponentChildren } from "preact";
import { useContext, useMemo, useState } from "preact/hooks";
import { MASK, maskText } from "../mask";
import { canReveal } from "../session";
import { Icon } from "../ui/icon";
import { LongText } from "../ui/text";

/** Whether somebody has asked to see the secrets in this part of the page. */
export const Revealed = createContext(false);

/** Something hidden until somebody who may see it asks for it. */
export function Masked({ children }: { children: ComponentChildren }) {
  const outer = useContext(Revealed);
  const [shown, setShown] = useState(false);
  if (outer) return <>{children}</>;
  if (!shown) return <><span class="mask" title={HINT}>{MASK}</span><Reveal onClick={() => setShown(true)} /></>;
  return <Revealed.Provider value={true}>{children} <Hide onClick={() => setShown(false)} /></Revealed.Provider>;
}

/** A text in which what looks like a secret is hidden. */
export function MaskedText({ text, limit }: { text: string; limit?: number }) {
  const outer = useContext(Revealed);
  const [shown, setShown] = useState(false);
  const masked = useMemo(() => maskText(text), [text]);
  const open = outer || shown;
  return (
    <>
      <LongText text={open ? text : masked} limit={limit} />
      {masked !== text && !outer && (shown
        ? <> <Hide onClick={() => setShown(false)} /></>
        : <Reveal onClick={() => setShown(true)} />)}
    </>
  );
}

const HINT = "Looks like a secret; authors and admins can reveal it";

function Reveal({ onClick }: { onClick: () => void }) {
  if (!canReveal.value) return null;
  return <> <button type="button" class="link reveal" onClick={onClick}><Icon name="lock" />Reveal</button></>;
}

const Hide = ({ onClick }: { onClick: () => void }) => (
  <button type="button" class="link reveal" onClick={onClick}>Hide</button>
);
