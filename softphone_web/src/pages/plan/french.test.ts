import { describe, expect, it } from "vitest";

import { inFrench } from "./french";
import { PROOFS } from "../recordings/proofs";
import { FAULTS } from "./faults";
import { FRAMES, OTHERS, PARTS, SENTENCES } from "./sentences";

describe("inFrench", () => {
  it.each([
    ["7 users such as 1001 dialling mobile numbers", "7 personnes, dont 1001, en composant un mobile"],
    ["by operateur-b, then operateur-a", "par operateur-b, puis operateur-a"],
    ["emergency 18 by operateur-a", "appel d’urgence au 18 par operateur-a"],
    ["refused: class (403)", "refusé : droits insuffisants (403)"],
    ["trunk operateur-a, channels", "opérateur operateur-a, channels"],
    [
      'unknown trunk "operateur-z" for calls to international',
      "opérateur inconnu « operateur-z » pour les appels internationaux",
    ],
    ["2 channels are kept for emergency calls and the trunk has 1", "2 canaux sont réservés aux urgences et l’opérateur en a 1"],
    ["callers from outside calling +33383000100 while bureau is closed", "appelants de l’extérieur appelant +33383000100, quand bureau est fermé"],
    [
      "2201 and 2202 at caserne dialling 15 (emergency), 17 (emergency) and 10 others",
      "2201 et 2202 (site caserne), en composant 15 (urgence), 17 (urgence) et 10 autres",
    ],
    [
      "7 users such as 1001, and telephones of nobody dialling 15 (emergency)",
      "7 personnes, dont 1001, et les téléphones sans titulaire, en composant 15 (urgence)",
    ],
    ["+33383000100", "+33383000100"],
    ["operateur-a, operateur-b", "operateur-a, operateur-b"],
    ["nobody is in group \"x\"; remove it", "personne n’est dans le groupe « x » ; retirez-le"],
    ["segment 3 was changed", "le segment 3 a été modifié"],
    ["user-busy: to 2020, because 1001 set it on 2026-11-23 at 09:12", "occupé : vers 2020 (réglé par 1001 le 2026-11-23 à 09:12)"],
    ["always to 2020: not followed: only for outside", "tous les appels vers 2020 : pas suivi, seulement pour l’extérieur"],
    ['"8 h" is no hour of the day', "« 8 h » n’est pas une heure"],
    ["201 has made 20 of 20 calls in this hour", "201 : 20 appels sur 20 cette heure"],
  ])("says %s", (english, french) => {
    expect(inFrench(english)).toBe(french);
  });

  it("leaves what it doesn't know", () => {
    expect(inFrench("the moon is full")).toBeUndefined();
  });

  it("names in French only what the English sentence names", () => {
    const named = (text: string) => new Set([...text.matchAll(/\{(\w+)\*?\}/g)].map((match) => match[1]));
    for (const [english, french] of [...FRAMES, ...SENTENCES, ...FAULTS, ...PROOFS, ...PARTS, ...OTHERS]) {
      for (const name of named(french)) expect(named(english), english).toContain(name);
    }
  });
});
