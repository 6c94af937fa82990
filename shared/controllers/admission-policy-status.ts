import { typeOfSchema } from "../kubernetes/cel/schema-type.ts";
import { customResourceDefinitions, validatingAdmissionPolicies } from "../kubernetes/known-resources.ts";
import { type CustomTypes, checkPolicyTypes } from "../kubernetes/policies/type-check.ts";
import type { CustomResourceDefinition, ValidatingAdmissionPolicy } from "../kubernetes/types.ts";
import { type ClusterView, objectOf } from "../store/view.ts";
import type { Controller } from "./controller.ts";
import { isOf } from "./same-resource.ts";

/** Says in the status of each ValidatingAdmissionPolicy what its expressions get wrong about the kinds that it is for. */
export function createAdmissionPolicyStatusController(): Controller {
  return {
    name: "validatingadmissionpolicy-status",
    allKeys: (view) => view.list(validatingAdmissionPolicies).map(({ key }) => key.name),
    keysOf: ({ key, type }) => (isOf(validatingAdmissionPolicies, key) && type !== "DELETED" ? [key.name] : []),
    async reconcile(name, { view, client }) {
      const stored = view.get(validatingAdmissionPolicies, "", name);
      if (!stored) return { kind: "done" };
      const policy = objectOf<ValidatingAdmissionPolicy>(stored);
      const { generation = 0 } = policy.metadata;
      if (generation <= (policy.status?.observedGeneration ?? 0)) return { kind: "done" };
      const expressionWarnings = checkPolicyTypes(policy.spec ?? {}, customTypes(view));
      const typeChecking = expressionWarnings.length > 0 ? { expressionWarnings } : {};
      const status = { ...policy.status, observedGeneration: generation, typeChecking };
      const options = { subresource: "status", fieldManager: "validatingadmissionpolicy-status" } as const;
      await client.update(validatingAdmissionPolicies, { ...policy, status } as ValidatingAdmissionPolicy, options);
      return { kind: "done" };
    },
  };
}

function customTypes(view: ClusterView): CustomTypes {
  const definitions = (): CustomResourceDefinition[] =>
    view.list(customResourceDefinitions).map((stored) => objectOf<CustomResourceDefinition>(stored));
  return {
    kindOf: (group, _version, resource) =>
      definitions().find(({ spec }) => spec.group === group && spec.names.plural === resource)?.spec.names.kind,
    typeOf(group, version, kind) {
      const definition = definitions().find(({ spec }) => spec.group === group && spec.names.kind === kind);
      const schema = definition?.spec.versions.find(({ name }) => name === version)?.schema?.openAPIV3Schema;
      return schema && typeOfSchema(schema, true, kind);
    },
  };
}
