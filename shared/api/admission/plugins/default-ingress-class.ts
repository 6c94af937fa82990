import { newestDefault } from "../../../kubernetes/default-class.ts";
import { ingressClasses } from "../../../kubernetes/known-resources.ts";
import type { Ingress } from "../../../kubernetes/types.ts";
import type { AdmissionPlugin } from "../attributes.ts";

const defaultAnnotation = ["ingressclass.kubernetes.io/is-default-class"] as const;
const oldAnnotation = "kubernetes.io/ingress.class";

/** An Ingress that names no class gets the newest default one. */
export const defaultIngressClass: AdmissionPlugin = {
  mutate({ mirror }, { operation, subresource, object }) {
    if (operation !== "CREATE" || subresource !== "") return;
    const ingress = object as Ingress;
    if (ingress.spec?.ingressClassName !== undefined || ingress.metadata.annotations?.[oldAnnotation] !== undefined) return;
    const chosen = newestDefault(mirror.list(ingressClasses), defaultAnnotation);
    if (chosen !== undefined) ingress.spec = { ...ingress.spec, ingressClassName: chosen };
  },
};
