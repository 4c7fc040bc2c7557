/** Whether the page that appears was gone to from another one of ours: the browser announces the first one. */

let hasGone = false;

/** Say that the reader goes to another page. */
export function go(): void {
  hasGone = true;
}

/** Whether they did, since the pages were loaded. */
export function arrived(): boolean {
  return hasGone;
}
