/** The pages of the place where one is. Where it is narrow they are folded under the one that is open. */
import { useState } from "react";

import { Link } from "../components/Link";
import { shell } from "../language/shell";
import { useLanguage, useTexts } from "../language/texts";
import type { PageEntry } from "../pages";

export function PagesOfPlace({ pages, path }: { readonly pages: readonly PageEntry[]; readonly path: string }) {
  const words = useTexts(shell);
  const spoken = useLanguage();
  // Of one page: who goes to another one has found it.
  const [unfoldedAt, setUnfoldedAt] = useState("");
  const isUnfolded = unfoldedAt === path;
  const current = pages.find((page) => isWithin(page.path, path));
  return (
    <nav className="pages" aria-label={words.pages}>
      <button
        type="button"
        className="button fold"
        aria-expanded={isUnfolded}
        onClick={() => setUnfoldedAt(isUnfolded ? "" : path)}
      >
        {current?.title[spoken] ?? words.menu}
        <span aria-hidden="true">{isUnfolded ? "▴" : "▾"}</span>
      </button>
      <ul data-unfolded={isUnfolded}>
        {pages.map((page) => (
          <li key={page.path}>
            <Link to={page.path} isCurrent={page === current}>
              {page.title[spoken]}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** Whether a path is that of a page, or of one that it leads to: /history/ab1 is within /history. */
function isWithin(page: string, path: string): boolean {
  return path === page || (page !== "/" && path.startsWith(`${page}/`));
}
