/** Something the person in front of the page should read. */
export class Problem extends Error {
  /**
   * @param {string} title what went wrong, in a few words
   * @param {string} [detail] why, or what to do next
   * @param {string} [step] the playbook's step in which it happened
   */
  constructor(title, detail, step) {
    super(title);
    this.title = title;
    this.detail = detail;
    this.step = step;
  }
}
