/** What sites and makers are called: the server names them by the words that the plan and the templates have. */
import { useResource } from "../../server/resource";
import type { Choices } from "../directory/shapes";
import type { Brand } from "./phone";

/** A function from the plan's word to a site's title; the word itself until that is known. */
export function useSiteTitle(): (name: string) => string {
  const sites = useResource<Choices>("/directory/choices").data?.sites ?? [];
  return (name) => sites.find((one) => one.name === name)?.title ?? name;
}

/** A function from the templates' word to a maker's name; the word itself until that is known. */
export function useMaker(): (brand: string) => string {
  const brands = useResource<{ readonly items: readonly Brand[] }>("/phones/brands").data?.items ?? [];
  return (brand) => brands.find((one) => one.brand === brand)?.name ?? brand;
}
