// Asks a server with @huggingface/inference. Usage: node clients.mjs FOLDER_WITH_NODE_MODULES URL TOKEN QUESTION CONTEXT
// Prints the answer as one line of JSON.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url, token, question, context] = process.argv.slice(2);
const found = createRequire(`${folder}/`).resolve("@huggingface/inference");
const { InferenceClient } = await import(pathToFileURL(found));
const endpoint = new InferenceClient(token).endpoint(url);
console.log(JSON.stringify(await endpoint.questionAnswering({ inputs: { question, context } })));
