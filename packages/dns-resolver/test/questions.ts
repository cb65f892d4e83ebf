import { adoptName, Query } from "../src/wire/query.ts";
import { parseName } from "../src/wire/name.ts";
import { CLASS, TYPE } from "../src/wire/registry.ts";
import { QuestionKey } from "../src/upstream/question-key.ts";

/** The key of a question for the A records of `name`, in memory of its own. */
export function keyOf(name: string, tag = 1, passes = false): QuestionKey {
  const query = new Query();
  const wire = parseName(name);
  if (wire === undefined) throw new Error(`${name} is no name`);
  adoptName(query, wire, TYPE.A, CLASS.IN);
  return new QuestionKey(query, tag, passes);
}
