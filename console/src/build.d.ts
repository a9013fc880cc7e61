/** Where the built layout worker lies, beside the page's own script. */
declare const LAYOUT_WORKER: string;
