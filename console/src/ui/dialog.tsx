import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { asProblem, type Problem } from "../api/problem";
import { ProblemNote } from "./problem";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A dialog over the page; Esc closes it. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => element.current!.showModal(), []);
  return (
    <dialog ref={element} aria-labelledby={id} onClose={onClose}
      onClick={(event) => event.target === element.current && onClose()}>
      <div class="dialog">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  action: string;
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

/** Asks before something that can't be undone. */
export function Confirm({ title, children, action, onConfirm, onClose }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const confirm = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await onConfirm();
      onClose();
    } catch (thrown) {
      setProblem(asProblem(thrown));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div>{children}</div>
      {problem && <ProblemNote problem={problem} />}
      <div class="actions end">
        <button type="button" onClick={onClose} autofocus>Keep</button>
        <button type="button" class="danger" disabled={busy} onClick={confirm}>{action}</button>
      </div>
    </Dialog>
  );
}

/** A button that asks before it acts. */
export function ConfirmButton({ label, disabled, ...rest }:
  Omit<ConfirmProps, "onClose"> & { label: string; disabled?: boolean }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" class="danger-quiet" disabled={disabled} onClick={() => setOpen(true)}>{label}</button>
      {open && <Confirm {...rest} onClose={() => setOpen(false)} />}
    </>
  );
}
