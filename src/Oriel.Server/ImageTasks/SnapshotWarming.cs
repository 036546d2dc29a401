using Oriel.Desktops.Keepers;
using Oriel.Desktops.Node;
using Oriel.Desktops.Snapshots;
using Oriel.Desktops.Templates;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Composition;
using Oriel.Server.Configuration;

namespace Oriel.Server.ImageTasks;

/// <summary>
/// Makes the golden snapshots of templates, each in a server of its own, and has a machine go on from each: only then it is known to be
/// good. A server that runs finds them at its next desktop.
/// </summary>
/// <param name="keeperPath">The oriel-keeper executable; null = beside the program.</param>
/// <param name="keepers">Null = processes of this host.</param>
internal sealed class SnapshotWarming(string dataDirectory, DesktopDriver driver, string? keeperPath, IKeeperHost? keepers = null)
{
    private readonly DataLayout _layout = new(dataDirectory);

    /// <summary>For one snapshot, under emulation on a busy machine.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(15);

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    /// <param name="wanted">Names of templates; none = all whose image can be used. Templates of the same machine share a snapshot.</param>
    /// <param name="report">Called with each snapshot that is there, and with what is passed over.</param>
    /// <returns>Why there is none, a line for each that failed; null when all are there.</returns>
    public async Task<string?> RunAsync(IReadOnlyCollection<string> wanted, Action<string> report, CancellationToken cancellationToken)
    {
        if (driver.Vmm is null)
        {
            return $"desktops of the driver {driver.Name} cannot be saved and restored; --driver qemu can";
        }

        if (Choose(wanted, report, out var templates) is { } problem)
        {
            return problem;
        }

        var problems = new List<string>();
        while (templates is [var first, ..])
        {
            var names = string.Join(
                ", ",
                templates.Where(other => GoldenSnapshots.AreShared(first, other)).Select(template => template.Name)
            );
            report($"{names}: a machine boots, is saved when terminal and browser are there, and another is restored from it");
            if (await WarmAsync(first, cancellationToken) is { } failed)
            {
                problems.Add($"{names}: {failed}");
            }
            else
            {
                report($"{names}: the snapshot is there, and a machine has gone on from it");
            }

            templates = [.. templates.Where(other => !GoldenSnapshots.AreShared(first, other))];
        }

        return problems.Count == 0 ? null : string.Join('\n', problems);
    }

    /// <returns>Why none can be chosen.</returns>
    private string? Choose(IReadOnlyCollection<string> wanted, Action<string> report, out List<DesktopTemplate> chosen)
    {
        chosen = [];
        TemplateCatalog catalog;
        try
        {
            catalog = new TemplateCatalog(TemplateFile.Read(_layout.Templates));
        }
        catch (IOException e)
        {
            return e.Message;
        }

        var all = catalog
            .All.OrderByDescending(template => template.Name == DesktopTemplate.DefaultName)
            .ThenBy(template => template.Name, StringComparer.Ordinal)
            .ToList();
        if (wanted.FirstOrDefault(name => catalog.Find(name) is null) is { } unknown)
        {
            return $"there is no template '{unknown}'; there are: {string.Join(", ", all.Select(template => template.Name))}";
        }

        var store = new ImageStore(_layout.Images);
        List<string> withoutImage = [];
        foreach (var template in all.Where(template => wanted.Count == 0 || wanted.Contains(template.Name)))
        {
            if (store.FindUsable(template.Image) is not null)
            {
                chosen.Add(template);
                continue;
            }

            withoutImage.Add($"{template.Name}: there is no usable image '{template.Image}' (./oriel image list says why)");
        }

        if (withoutImage.Count > 0 && (wanted.Count > 0 || chosen.Count == 0))
        {
            return string.Join('\n', withoutImage);
        }

        withoutImage.ForEach(report);
        return null;
    }

    private async Task<string?> WarmAsync(DesktopTemplate template, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Deadline);
        try
        {
            return await TemporaryServer.RunAsync(
                _layout.Root,
                "warm",
                TimeProvider.System,
                place => new ServeOptions
                {
                    DataDirectory = place,
                    ImagesDirectory = _layout.Images,
                    Driver = driver,
                    KeeperPath = keeperPath,
                    MaxDesktops = 2,
                },
                server => AwaitAsync(server, template.Name, limit.Token),
                limit.Token,
                parts => parts with { Keepers = keepers, Templates = new TemplateCatalog([template with { Warm = 1 }]) }
            );
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"it was not there within {Deadline.TotalMinutes:0} minutes";
        }
    }

    private static async Task<string?> AwaitAsync(ServerApplication server, string template, CancellationToken cancellationToken)
    {
        while (true)
        {
            var pool = server.Desktops.Pool.Single(state => state.Template == template);
            if ((pool.SnapshotProblem ?? pool.Problem) is { } problem)
            {
                return problem;
            }

            if (pool.Waiting > 0)
            {
                return null;
            }

            await Task.Delay(LookAgain, cancellationToken);
        }
    }
}
