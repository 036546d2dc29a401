namespace Oriel.Images;

internal sealed record ImageRecipeFile(string Name, string Suite, IReadOnlyList<string> Mirrors);
