// Light, dark, or as the system has it.

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const NAME = "noetl-theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];

const stored = localStorage.getItem(NAME) as Theme;
export const theme = signal<Theme>(THEMES.includes(stored) ? stored : "system");

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem(NAME, theme.value);
});

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
}
