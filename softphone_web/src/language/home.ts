/** The words of the first page. */
import { texts } from "./texts";

export const home = texts({
  fr: {
    title: "Accueil",
    hello: (name: string) => `Bonjour ${name}`,
    number: (extension: string) => `Votre numéro intérieur est le ${extension}.`,
    no_number: "Votre compte n’a pas de téléphone.",
    places: "Où aller",
  },
  en: {
    title: "Home",
    hello: (name: string) => `Hello ${name}`,
    number: (extension: string) => `Your extension is ${extension}.`,
    no_number: "Your account has no telephone.",
    places: "Where to go",
  },
});
