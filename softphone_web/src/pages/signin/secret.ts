/** The secret of a link, which stands behind the # of the address: taken once, and out of the bar at once. */
let taken = "";

export function secretOfLink(): string {
  if (location.hash.length > 1) {
    taken = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  }
  return taken;
}
