using Microsoft.Playwright;

namespace Oriel.Desktop.Tests;

/// <summary>
/// Writes down what a part of a page says each time that it says something new: for states that are over before a test could ask for them.
/// It sees into shadow trees, and ends with the page's document.
/// </summary>
internal static class Recorder
{
    private const string Start = """
        name => {
          const roots = new WeakSet();
          const all = (root, match, found = []) => {
            for (const node of root.querySelectorAll('*')) {
              if (node.matches(match)) found.push(node);
              if (node.shadowRoot) all(node.shadowRoot, match, found);
            }
            return found;
          };
          const text = match => all(document, match).map(node => node.textContent.trim());
          const one = match => all(document, match)[0] ?? null;
          const seen = (globalThis.recorded ??= {})[name] = [];
          const record = () => {
            for (const { shadowRoot } of [{ shadowRoot: document }, ...all(document, '*')]) watch(shadowRoot);
            const said = String(LOOK);
            if (seen.at(-1) !== said) seen.push(said);
          };
          const observer = new MutationObserver(record);
          const watch = root => {
            if (!root || roots.has(root)) return;
            roots.add(root);
            observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
          };
          record();
        }
        """;

    /// <param name="look">JavaScript: <c>text(selector)</c> is the texts of all that match, <c>one(selector)</c> the first element or
    /// null.</param>
    public static Task StartAsync(IPage page, string name, string look) =>
        page.EvaluateAsync(Start.Replace("LOOK", look, StringComparison.Ordinal), name);

    public static Task<string[]> SeenAsync(IPage page, string name) =>
        page.EvaluateAsync<string[]>("name => globalThis.recorded[name]", name);
}
