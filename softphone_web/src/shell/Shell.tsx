/**
 * The frame around every page: who is signed in, where one may go, what must be said about the connection.
 *
 * Nobody signed in sees the page of signing in, over the page that was open: that one stays as it is, hidden, so that
 * who signs in again goes on where they were, with what they had written.
 */
import { type ComponentType, type ReactNode, useEffect, useState } from "react";

import { Loading } from "../components/Problem";
import { Notices } from "../components/Notices";
import { loadSignIn } from "../pages";
import { type Session, isWhole, lastSession, useSignedIn } from "../server/session";
import { AddressBar } from "./AddressBar";
import { Away } from "./Away";
import { Bars } from "./Bars";
import { CallBar } from "./CallBar";
import { Content } from "./Content";
import { ErrorBoundary } from "./ErrorBoundary";
import { Header } from "./Header";
import { PagesOfPlace } from "./Navigation";
import { ScreenPops } from "./ScreenPops";
import { SkipLink } from "./SkipLink";
import { openTo, pageAt } from "./opening";
import { usePath } from "./place";

export function Shell() {
  const now = useSignedIn();
  const path = usePath();
  const page = pageAt(path);
  if (page?.entry.right === "anybody") return <Alone>{<Content path={path} rights={[]} />}</Alone>;
  if (now.state === "unknown") return <Loading />;
  if (now.state === "away") return <Away />;
  const isIn = now.state === "in" && isWhole(now.session);
  const session = isIn ? now.session : lastSession();
  return (
    <>
      {session !== undefined && (
        <div key={session.account} hidden={!isIn}>
          <Inside session={session} path={path} />
        </div>
      )}
      {!isIn && (
        <Alone>
          <SignIn />
        </Alone>
      )}
    </>
  );
}

/** Signing in, once it is loaded. Without Suspense: React holds back for 0.3 s what follows a fallback. */
function SignIn() {
  const [loaded, setLoaded] = useState<{ page: ComponentType } | { failed: unknown }>();
  useEffect(() => {
    loadSignIn().then(
      (found) => {
        setLoaded({ page: found.default });
      },
      (failed: unknown) => {
        setLoaded({ failed });
      },
    );
  }, []);
  if (loaded === undefined) return <Loading />;
  if ("failed" in loaded) throw loaded.failed; // to the boundary around it
  return <loaded.page />;
}

/** A page that has nothing around it: signing in, the first run. */
function Alone({ children }: { readonly children: ReactNode }) {
  return (
    <>
      <main id="content" className="alone">
        <ErrorBoundary>{children}</ErrorBoundary>
      </main>
      <Notices />
    </>
  );
}

function Inside({ session, path }: { readonly session: Session; readonly path: string }) {
  const place = pageAt(path)?.entry.place;
  const pages = openTo(session.rights).filter((page) => page.place === place && page.menu !== false);
  return (
    <>
      <SkipLink />
      <Header session={session} place={place} />
      <CallBar extension={session.extension} path={path} />
      <ScreenPops extension={session.extension} />
      <Bars />
      <AddressBar extension={session.extension} path={path} />
      <div className={pages.length > 1 ? "body with-pages" : "body"}>
        {pages.length > 1 && <PagesOfPlace pages={pages} path={path} />}
        <main id="content" tabIndex={-1}>
          <ErrorBoundary key={path}>
            <Content path={path} rights={session.rights} />
          </ErrorBoundary>
        </main>
      </div>
      <Notices />
    </>
  );
}
