namespace Oriel.Desktops.Templates;

/// <summary>The templates of this server, by name; there is always one named default.</summary>
public sealed class TemplateCatalog
{
    private readonly Dictionary<string, DesktopTemplate> _byName;

    /// <param name="warm">How many wait of those made from the default template, where the operator's own default does not say.</param>
    public TemplateCatalog(IEnumerable<DesktopTemplate> templates, int warm = 0)
    {
        _byName = templates.ToDictionary(t => t.Name, StringComparer.Ordinal);
        _byName.TryAdd(DesktopTemplate.DefaultName, DesktopTemplate.Default);
        if (_byName[DesktopTemplate.DefaultName] is { Warm: 0 } unsaid)
        {
            _byName[unsaid.Name] = unsaid with { Warm = warm };
        }
    }

    public IReadOnlyCollection<DesktopTemplate> All => _byName.Values;

    public DesktopTemplate? Find(string name) => _byName.GetValueOrDefault(name);
}
