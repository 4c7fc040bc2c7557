/** The page of an address, loaded when it is first opened. */
import { type ComponentType, type LazyExoticComponent, Suspense, lazy } from "react";

import { Link } from "../components/Link";
import { Page } from "../components/Page";
import { Loading } from "../components/Problem";
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import type { PageEntry, PageProps } from "../pages";
import type { Right } from "../server/session";
import { isOpen, pageAt } from "./opening";

const loaded = new Map<PageEntry, LazyExoticComponent<ComponentType<PageProps>>>();

function componentOf(entry: PageEntry): LazyExoticComponent<ComponentType<PageProps>> {
  const known = loaded.get(entry);
  if (known !== undefined) return known;
  const made = lazy(entry.load);
  loaded.set(entry, made);
  return made;
}

export function Content({ path, rights }: { readonly path: string; readonly rights: readonly Right[] }) {
  const found = pageAt(path);
  if (found === undefined || !isOpen(found.entry, rights)) return <Missing />;
  const Component = componentOf(found.entry);
  return (
    <Suspense fallback={<Loading />}>
      {/* Another address is another page, even where the component is the same. */}
      <Component key={path} params={found.params} />
    </Suspense>
  );
}

function Missing() {
  const words = useTexts(shell);
  return (
    <Page title={words.missing} lead={words.missing_mend}>
      <Link to="/">{words.home}</Link>
    </Page>
  );
}
