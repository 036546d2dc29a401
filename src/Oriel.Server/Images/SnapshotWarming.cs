using Oriel.Desktops.Drivers;
using Oriel.Desktops.Templates;
using Oriel.Images;
using Oriel.Server.Hosting;

namespace Oriel.Server.Images;

/// <summary>
/// Makes the golden snapshot of the default template in a server of its own, and has a machine go on from it: only then it is known to be good. A server
/// that runs finds it at its next desktop.
/// </summary>
internal sealed class SnapshotWarming(string dataDirectory, DesktopDriver driver)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    /// <returns>Why there is none; null when there is.</returns>
    public async Task<string?> RunAsync(Action<string> report, CancellationToken cancellationToken)
    {
        if (driver.Vmm is null)
        {
            return $"desktops of the driver {driver.Name} cannot be kept and restored; --driver qemu can";
        }

        var templates = Path.Combine(dataDirectory, TemplateFile.Name);
        var template = new TemplateCatalog(TemplateFile.Read(templates)).Find(DesktopTemplate.DefaultName)!;
        if (new ImageStore(DataDirectory.Images(dataDirectory)).FindUsable(template.Image) is null)
        {
            return $"there is no usable image '{template.Image}' (oriel image list says why)";
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Deadline);
        try
        {
            return await TaskServer.RunAsync(dataDirectory, "warm", TimeProvider.System, Prepare, host => WarmAsync(host, report, limit.Token), limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"it was not there within {Deadline.TotalMinutes:0} minutes";
        }

        ServeOptions Prepare(string place)
        {
            if (File.Exists(templates))
            {
                File.Copy(templates, Path.Combine(place, TemplateFile.Name));
            }

            return new ServeOptions { DataDirectory = place, ImagesDirectory = DataDirectory.Images(dataDirectory), Driver = driver, Warm = 1, MaxDesktops = 2 };
        }
    }

    private static async Task<string?> WarmAsync(OrielHost host, Action<string> report, CancellationToken cancellationToken)
    {
        report("a machine boots, is kept when terminal and browser are there, and another goes on from it");
        while (true)
        {
            var pool = host.Desktops.Pool.FirstOrDefault(state => state.Template == DesktopTemplate.DefaultName);
            if (pool is null or { Problem: not null } or { Waiting: > 0 })
            {
                return pool is null ? "the default template has nothing to be kept" : pool.Problem;
            }

            await Task.Delay(LookAgain, cancellationToken);
        }
    }
}
