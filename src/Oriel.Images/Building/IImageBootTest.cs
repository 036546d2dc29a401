using Oriel.Images.Store;

namespace Oriel.Images.Building;

/// <summary>
/// Starts a desktop from an image and tries it: desktop drawn, terminal and browser in the screenshot, a key typed and its echo seen. An
/// image that did not pass is not usable.
/// </summary>
public interface IImageBootTest
{
    /// <summary>A failure of the desktop is an outcome, not an exception.</summary>
    Task<ImageBootTest> RunAsync(ImageManifest image, string imageDirectory, Action<string> report, CancellationToken cancellationToken);
}
