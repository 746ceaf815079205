import Ajv, { type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
  components?: unknown;
}

interface Operation {
  operationId: string;
  responses: Record<string, { content?: Record<string, { schema?: object }> }>;
}

export interface Answer {
  method: string;
  path: string;
  status: number;
  contentType: string;
  body: string;
}

/**
 * Compares answers with the API's own document: a status, content type or body that is not described there is an error.
 * What is no route of the document (pages, the storage's signed URLs) is not looked at, but must not be JSON by accident.
 */
export function createAnswerCheck(document: ApiDocument) {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema({ $id: "api", components: document.components });
  const routes = Object.entries(document.paths).map(([template, operations]) => ({
    template,
    pattern: new RegExp(`^${template.replace(/[.]/g, "\\.").replace(/\{[^}]+\}/g, "[^/]+")}/?$`),
    operations,
  }));

  const validators = new Map<object, ValidateFunction>();

  function operationOf({ method, path }: Answer): Operation | undefined {
    const [plainest] = routes
      .filter(({ pattern }) => pattern.test(path))
      .sort((a, b) => a.template.split("{").length - b.template.split("{").length);
    const verb = method.toLowerCase();
    return plainest?.operations[verb === "head" ? "get" : verb];
  }

  /** What is wrong with an answer, or undefined. */
  return function problemOf(answer: Answer): string | undefined {
    const operation = operationOf(answer);
    if (operation === undefined) return undefined;
    const what = `${answer.method} ${answer.path} (${operation.operationId}) answered ${answer.status}`;
    const described = operation.responses[String(answer.status)];
    if (described === undefined) return `${what}, which its document does not know`;
    const types = Object.keys(described.content ?? {});
    if (answer.method === "HEAD" || answer.body === "") return undefined;
    const type = answer.contentType.split(";")[0]?.trim() ?? "";
    if (!types.includes(type)) return `${what} as ${type}, and its document knows ${types.join(", ") || "no body"}`;
    const schema = described.content?.[type]?.schema;
    if (schema === undefined || type !== "application/json") return undefined;
    const validate = validators.get(schema) ?? ajv.compile(rooted(schema));
    validators.set(schema, validate);
    if (validate(JSON.parse(answer.body))) return undefined;
    return `${what}, and the body differs from its schema: ${ajv.errorsText(validate.errors)}\n${answer.body.slice(0, 500)}`;
  };
}

/** References inside the document, as references into the schema that holds its components. */
function rooted(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/'));
}
