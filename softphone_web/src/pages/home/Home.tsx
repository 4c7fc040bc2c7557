/** The first page: who one is here, and where one may go. */
import { Link } from "../../components/Link";
import { Page, Section } from "../../components/Page";
import { home } from "../../language/home";
import { shell } from "../../language/shell";
import { useLanguage, useTexts } from "../../language/texts";
import { PLACES } from "../../pages";
import { useSession } from "../../server/session";
import { openTo } from "../../shell/opening";

export default function Home() {
  const words = useTexts(home);
  const names = useTexts(shell);
  const spoken = useLanguage();
  const session = useSession();
  const pages = openTo(session.rights).filter((page) => page.path !== "/" && page.menu !== false);
  return (
    <Page
      title={words.hello(session.name)}
      lead={session.extension === "" ? words.no_number : words.number(session.extension)}
    >
      <div className="tiles">
        {PLACES.map((place) => {
          const inPlace = pages.filter((page) => page.place === place);
          if (inPlace.length === 0) return null;
          return (
            <Section key={place} title={names[place]}>
              <ul className="plain-list">
                {inPlace.map((page) => (
                  <li key={page.path}>
                    <Link to={page.path}>{page.title[spoken]}</Link>
                  </li>
                ))}
              </ul>
            </Section>
          );
        })}
      </div>
    </Page>
  );
}
