// The tool acme/markdown: Markdown by anybody becomes HTML that is safe to show.

import MarkdownIt from 'markdown-it';
import { tool } from './noetl/index.js';

// Tags in the text are shown as they stand, and links such as `javascript:` are none.
const markdown = new MarkdownIt({ html: false });
// What is done here is done when the tool is built, and is in its memory when a step begins.
markdown.render('# *Ready* `now`\n\n- [see](https://example.com)\n\n| a |\n|---|\n| b |');

export const run = tool(({ text }, { breaks = false, linkify = false }) => {
  markdown.set({ breaks, linkify });
  const tokens = markdown.parse(text, {});
  const heading = tokens.findIndex((token) => token.type === 'heading_open');
  return {
    html: markdown.renderer.render(tokens, markdown.options, {}),
    title: heading < 0 ? null : words(tokens[heading + 1]),
  };
});

// What is left of a line without its markup.
function words(line) {
  return line.children
    .filter((token) => ['text', 'code_inline'].includes(token.type))
    .map((token) => token.content)
    .join('');
}
