import { isJsonObject, type Json, type JsonObject } from '../../../core/json.ts';
import type { DescribedApi } from '../described-apis.ts';
import { line, markup, NOTHING, prose, type Html } from './html.ts';
import { layOut, type Group, type Page } from './layout.ts';
import { listAt, objectAt, resolve, textAt } from './read.ts';
import { renderField, renderFields, typeOf } from './render-schema.ts';

interface Listed {
  method: string;
  path: string;
  operation: JsonObject;
}

/** The reference: everything that the document says, for people. Throws where it is not as we build it. */
export function renderReferencePage(
  document: JsonObject,
  { heading, firstRequest }: Pick<DescribedApi, 'heading' | 'firstRequest'>,
): Page {
  const info = objectAt(document, 'info');
  const tags = listAt(document, 'tags').filter(isJsonObject);
  const listed = operationsOf(document);
  const byTag = tags
    .map((tag) => ({
      tag,
      operations: listed.filter(({ operation }) => listAt(operation, 'tags').includes(textAt(tag, 'name'))),
    }))
    .filter(({ operations }) => operations.length > 0);
  const schemas = Object.entries(objectAt(objectAt(document, 'components'), 'schemas'));
  const groups: Group[] = [
    ...byTag.map(({ tag, operations }) => ({ title: textAt(tag, 'name'), links: operations.map(linkTo) })),
    { title: 'Schemas', links: schemas.map(([name]) => ({ href: `#schema-${name}`, text: markup`${name}` })) },
  ];
  const main = markup`<h1>${heading}</h1>
    <div class="text">${prose(textAt(info, 'description'))}</div>
    <h4>A request</h4>
    <pre>${firstRequest}</pre>
    ${byTag.map(({ tag, operations }) => renderTag(tag, operations, document))}
    <h2>Schemas</h2>
    ${schemas.map(([name, schema]) => renderComponent(name, schema))}`;
  return layOut({ title: `Rungate: ${heading}`, version: textAt(info, 'version'), groups, main });
}

function operationsOf(document: JsonObject): Listed[] {
  return Object.entries(objectAt(document, 'paths')).flatMap(([path, item]) =>
    Object.entries(isJsonObject(item) ? item : {}).flatMap(([method, operation]) =>
      isJsonObject(operation) ? [{ method, path, operation }] : [],
    ),
  );
}

function linkTo({ method, operation }: Listed) {
  const verb = markup`<span class="method ${method}">${method.toUpperCase()}</span>`;
  const text = markup`${verb}<span>${textAt(operation, 'summary')}</span>`;
  return { href: `#${textAt(operation, 'operationId')}`, text };
}

function renderTag(tag: JsonObject, operations: readonly Listed[], document: JsonObject): Html {
  return markup`<h2>${textAt(tag, 'name')}</h2>
    <p class="lead">${line(textAt(tag, 'description'))}</p>
    ${operations.map((listed) => renderOperation(listed, document))}`;
}

function renderOperation({ method, path, operation }: Listed, document: JsonObject): Html {
  const open = Array.isArray(operation.security) && operation.security.length === 0;
  const parameters = listAt(operation, 'parameters').map((parameter) => resolve(document, parameter));
  const answers = Object.entries(objectAt(operation, 'responses'));
  return markup`<section id="${textAt(operation, 'operationId')}">
    <h3>${textAt(operation, 'summary')}</h3>
    <div class="route">
      <span class="method ${method}">${method.toUpperCase()}</span><span>${path}</span>${
        open ? markup`<span class="key">no key</span>` : NOTHING
      }
    </div>
    <div class="text">${prose(textAt(operation, 'description'))}</div>
    ${renderParameters(
      'Path and query',
      parameters.filter(({ in: place }) => place !== 'header'),
    )}
    ${renderHeaders(parameters.filter(({ in: place }) => place === 'header'))}
    ${isJsonObject(operation.requestBody) ? renderBody(operation.requestBody, document) : NOTHING}
    <h4>Answers</h4>
    ${answers.map(([status, answer]) => renderAnswer(status, resolve(document, answer), document))}
  </section>`;
}

function renderParameters(title: string, parameters: readonly JsonObject[]): Html {
  if (parameters.length === 0) return NOTHING;
  const fields = parameters.map((parameter) =>
    renderField({
      name: textAt(parameter, 'name'),
      schema: { ...objectAt(parameter, 'schema'), description: parameter.description ?? '' },
      required: parameter.required === true,
      note: parameter.in === 'path' ? 'in the path' : '',
    }),
  );
  return markup`${title === '' ? NOTHING : markup`<h4>${title}</h4>`}
    <ul class="fields">${fields}</ul>`;
}

/** Most readers need none of them. */
function renderHeaders(parameters: readonly JsonObject[]): Html {
  const fields = renderParameters('', parameters);
  const names = parameters.map((parameter) => textAt(parameter, 'name')).join(', ');
  return fields === NOTHING
    ? NOTHING
    : markup`<details>
        <summary>Headers: ${names}</summary>
        ${fields}
      </details>`;
}

function renderBody(body: JsonObject, document: JsonObject): Html {
  const media = objectAt(objectAt(body, 'content'), 'application/json');
  const schema = objectAt(media, 'schema');
  const { properties } = resolve(document, schema);
  const none = isJsonObject(properties) && Object.keys(properties).length === 0;
  return markup`<h4>Body${body.required === true ? '' : ', which may be left out'}</h4>
    ${none ? markup`<p>None, or <code>{}</code>.</p>` : renderFields(resolve(document, schema))}
    ${renderExamples(media)}`;
}

function renderAnswer(status: string, answer: JsonObject, document: JsonObject): Html {
  const forms = Object.entries(objectAt(answer, 'content')).map(([mediaType, media]) => ({
    mediaType,
    media: isJsonObject(media) ? media : {},
  }));
  const codes = codesOf(objectAt(forms[0]?.media ?? {}, 'schema'));
  const description = textAt(answer, 'description');
  const names = Object.keys(objectAt(answer, 'headers')).join(', ');
  const refused = codes.length > 0;
  const told = refused ? renderCodeNames(codes) : line(description);
  return markup`<details class="answer">
    <summary><span class="status ${refused ? 'bad' : ''}">${status}</span><span>${told}</span></summary>
    <div>
      ${refused ? renderCodes(codes, description) : forms.map(({ mediaType, media }) => renderForm(media, mediaType, document))}
      <p class="note">Headers: ${names}</p>
    </div>
  </details>`;
}

function renderForm(media: JsonObject, mediaType: string, document: JsonObject): Html {
  const schema = objectAt(media, 'schema');
  const fields = '$ref' in schema ? NOTHING : renderFields(resolve(document, schema));
  return markup`<p>${typeOf(schema)} <span class="note">${mediaType}</span></p>${fields}${renderExamples(media)}`;
}

function renderCodeNames(codes: readonly string[]): Html {
  return markup`<span class="codes">${codes.map((code) => markup`<code>${code}</code>`)}</span>`;
}

/** The codes that an error answer's schema narrows the envelope to. */
function codesOf({ properties }: JsonObject): string[] {
  const error = isJsonObject(properties) ? properties.error : null;
  const narrowed = isJsonObject(error) && Array.isArray(error.allOf) ? error.allOf[1] : null;
  if (!isJsonObject(narrowed ?? null)) return [];
  const code = objectAt(objectAt(narrowed as JsonObject, 'properties'), 'code');
  return listAt(code, 'enum').filter((value) => typeof value === 'string');
}

function renderCodes(codes: readonly string[], description: string): Html {
  const messages = description.split('\n\n').map((paragraph) => paragraph.replace(/^`\w+`: /, ''));
  return markup`<table>
    <tbody>
      ${codes.map(
        (code, i) =>
          markup`<tr>
            <td>
              <a href="/docs/errors#${code}"><code>${code}</code></a>
            </td>
            <td>${line(messages[i] ?? '')}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function renderExamples({ examples }: JsonObject): Html {
  const given = isJsonObject(examples) ? Object.values(examples).filter(isJsonObject) : [];
  return markup`${given.map(
    (example) =>
      markup`<details>
        <summary>Example: ${line(textAt(example, 'summary'))}</summary>
        <pre>${typeof example.value === 'string' ? example.value : JSON.stringify(example.value, null, 2)}</pre>
      </details>`,
  )}`;
}

function renderComponent(name: string, schema: Json): Html {
  if (!isJsonObject(schema)) return NOTHING;
  return markup`<section id="schema-${name}">
    <h3>${name}</h3>
    ${typeof schema.description === 'string' ? prose(schema.description) : NOTHING} ${renderFields(schema)}
  </section>`;
}
