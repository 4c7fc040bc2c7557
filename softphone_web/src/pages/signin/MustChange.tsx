/** A password that somebody else has chosen lets one in once, to choose another. */
import { Page } from "../../components/Page";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { readSession } from "../../server/session";
import { NewPasswordForm } from "./NewPasswordForm";

export function MustChange() {
  const words = useTexts(signin);
  return (
    <Page title={words.change_title} lead={words.change_lead}>
      <NewPasswordForm
        onChosen={(password) => api.put("/account/password", { password }).then(readSession)}
      />
    </Page>
  );
}
