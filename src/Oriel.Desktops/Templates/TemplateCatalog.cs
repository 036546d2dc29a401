namespace Oriel.Desktops.Templates;

/// <summary>The templates of this server, by name; there is always one named default.</summary>
public sealed class TemplateCatalog
{
    private readonly Dictionary<string, DesktopTemplate> _byName;

    public TemplateCatalog(IEnumerable<DesktopTemplate> templates)
    {
        _byName = templates.ToDictionary(t => t.Name, StringComparer.Ordinal);
        _byName.TryAdd(DesktopTemplate.DefaultName, DesktopTemplate.Default);
    }

    public IReadOnlyCollection<DesktopTemplate> All => _byName.Values;

    public DesktopTemplate? Find(string name) => _byName.GetValueOrDefault(name);
}
