/** The pages' one style sheet: calm, readable without a font of its own, in light and dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#ffffff, #14171c);
  --raised: light-dark(#f6f7f9, #1b1f26);
  --line: light-dark(#e3e6eb, #2b313b);
  --ink: light-dark(#1b2028, #e4e7ec);
  --soft: light-dark(#5a6472, #9aa4b2);
  --link: light-dark(#1d5fc4, #7db0ff);
  --get: light-dark(#1b6e4a, #6ecb9f);
  --post: light-dark(#1d5fc4, #7db0ff);
  --delete: light-dark(#b3372f, #f08a80);
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1.5rem; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  display: grid; grid-template-columns: 17rem minmax(0, 1fr); min-height: 100vh;
}
nav {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.75rem 1rem 2rem 1.5rem;
  background: var(--raised); border-right: 1px solid var(--line); font-size: .875rem;
}
nav .name { font-weight: 650; font-size: 1.0625rem; color: var(--ink); }
nav .version { color: var(--soft); margin-left: .35rem; }
nav h2 { font-size: .75rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); margin: 1.6rem 0 .35rem; padding: 0; border: 0; font-weight: 600; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: flex; gap: .6rem; align-items: baseline; padding: .2rem .5rem; margin-left: -.5rem; border-radius: 5px; color: var(--ink); overflow-wrap: anywhere; }
nav li a:hover { background: var(--line); text-decoration: none; }
nav .method { width: 3.1rem; flex: none; font-size: .6875rem; }
main { padding: 2.5rem 3rem 6rem; max-width: 62rem; width: 100%; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px; }
h1 { font-size: 1.9rem; line-height: 1.25; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.4rem; line-height: 1.3; margin: 4rem 0 .5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.125rem; margin: 0; line-height: 1.4; }
h4 { font-size: .8125rem; margin: 1.6rem 0 .5rem; color: var(--soft); font-weight: 600; letter-spacing: .02em; }
p { margin: .6rem 0; }
.lead { font-size: 1.0625rem; color: var(--soft); max-width: 46rem; }
main > p, main > .text p, section > p, section > .text p { max-width: 46rem; }
section { margin: 2.5rem 0 0; }
section + section { padding-top: 2.25rem; border-top: 1px solid var(--line); }
code { font-family: var(--mono); font-size: .875em; background: var(--raised); border: 1px solid var(--line); border-radius: 4px; padding: .05em .3em; overflow-wrap: anywhere; }
pre { margin: .5rem 0 0; padding: .9rem 1rem; background: var(--raised); border: 1px solid var(--line); border-radius: 8px; overflow-x: auto; font: .8125rem/1.55 var(--mono); }
.route { display: flex; flex-wrap: wrap; align-items: baseline; gap: .7rem; margin: .4rem 0 .8rem; font-family: var(--mono); font-size: .9375rem; }
.method { font-family: var(--mono); font-weight: 650; font-size: .8125rem; letter-spacing: .02em; color: var(--soft); }
.method.get { color: var(--get); } .method.post { color: var(--post); } .method.delete { color: var(--delete); }
.key { color: var(--soft); font: .8125rem system-ui, sans-serif; }
.fields { margin: 0; padding: 0; list-style: none; border-top: 1px solid var(--line); }
.fields > li { padding: .6rem 0; border-bottom: 1px solid var(--line); font-size: .9375rem; }
.fields .fields { margin: .5rem 0 0 1rem; }
.fields .head { display: flex; flex-wrap: wrap; gap: .25rem .7rem; align-items: baseline; }
.fields .head > code { font-weight: 600; background: none; border: 0; padding: 0; font-size: .875rem; }
.type, .note { color: var(--soft); font-size: .8125rem; }
.type code { font-size: .95em; }
.required { color: var(--delete); font-size: .75rem; }
.fields .about { color: var(--ink); margin-top: .15rem; max-width: 46rem; }
details { margin: .4rem 0; }
summary { cursor: pointer; color: var(--soft); font-size: .875rem; }
summary:hover { color: var(--ink); }
.answer { border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; overflow: hidden; }
.answer > summary { padding: .55rem .9rem; display: flex; gap: .8rem; align-items: baseline; list-style: none; color: var(--ink); background: var(--raised); }
.answer > summary::-webkit-details-marker { display: none; }
.answer > summary::after { content: "+"; margin-left: auto; color: var(--soft); font-family: var(--mono); }
.answer[open] > summary::after { content: "\\2212"; }
.answer > div { padding: .4rem .9rem .9rem; border-top: 1px solid var(--line); }
.status { font-family: var(--mono); font-weight: 650; color: var(--get); }
.status.bad { color: var(--delete); }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th { text-align: left; font-size: .8125rem; font-weight: 600; color: var(--soft); padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); }
td { padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.codes { display: flex; flex-wrap: wrap; gap: .35rem .5rem; }
.facts { color: var(--soft); font-size: .875rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .35rem 0 .7rem; }
.target:target, section:target > h3 { text-decoration: underline; text-decoration-color: var(--link); text-decoration-thickness: 2px; text-underline-offset: 5px; }
@media (max-width: 56rem) {
  body { display: block; }
  nav { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); padding: 1.25rem 1.25rem 1rem; }
  nav .groups { display: none; }
  main { padding: 1.75rem 1.25rem 4rem; }
}
@media print { nav { display: none; } body { display: block; } }
`;
