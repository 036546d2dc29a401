namespace Oriel.Images.Tools;

/// <summary>An image cannot be built here and now; the message says why and what helps.</summary>
public sealed class ImageBuildException(string message) : Exception(message);
