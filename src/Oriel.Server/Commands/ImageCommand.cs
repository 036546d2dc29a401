using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Oriel.Desktops.Node;
using Oriel.Images.Building;
using Oriel.Images.Store;
using Oriel.Images.Tools;
using Oriel.Protocol.Layout;
using Oriel.Server.Commands.CommandLine;
using Oriel.Server.Configuration;
using Oriel.Server.Drivers;
using Oriel.Server.ImageTasks;
using Spectre.Console;

namespace Oriel.Server.Commands;

/// <summary><c>oriel image build|test|warm|list|verify|rm</c>.</summary>
internal static class ImageCommand
{
    private static readonly Option<string> Data = RecursiveData();
    private static readonly Option<string> Driver = new KindOption<string>("--driver", Kind.Driver)
    {
        Description = DriverChoice.Names,
        DefaultValueFactory = _ => DriverChoice.Auto,
    };
    private static readonly Option<string> Keeper = new KindOption<string>("--keeper", Kind.File)
    {
        Description = "The oriel-keeper program; default: beside this one",
    };

    public static Command Create()
    {
        var command = new Command("image", "Golden images: build, test, warm, list, verify, remove");
        command.Options.Add(Data);
        command.Subcommands.Add(Build());
        command.Subcommands.Add(Test());
        command.Subcommands.Add(Warm());
        command.Subcommands.Add(List());
        command.Subcommands.Add(Verify());
        command.Subcommands.Add(Remove());
        return command;
    }

    private static Option<string> RecursiveData()
    {
        var data = Values.Data();
        data.Recursive = true;
        return data;
    }

    private static Command Build()
    {
        var recipe = new KindArgument<string>("recipe", Kind.Folder) { Description = "Folder of the recipe, images/desktop" };
        var agent = new KindOption<string>("--agent", Kind.File) { Description = "The oriel-agent to bake in" };
        var name = new KindOption<string>("--name", Kind.Text) { Description = "Name of the image (default: the recipe's)" };
        var noBootTest = new KindOption<bool>("--no-boot-test", Kind.Flag) { Description = "Do not try the image: it stays unusable" };
        var ifMissing = new KindOption<bool>("--if-missing", Kind.Flag)
        {
            Description = "Build only when the store has no image of this recipe and agent",
        };
        var update = new KindOption<bool>("--update", Kind.Flag)
        {
            Description = "Take every package anew, with the security fixes since the last build",
        };
        var command = new Command("build", "Build a golden image from a recipe") { recipe, agent, name, noBootTest, ifMissing, update };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                var report = Reporter();
                try
                {
                    var layout = new DataLayout(parsed.GetValue(Data)!);
                    var store = new ImageStore(layout.Images);
                    var builder = new ImageBuilder(store, layout.Cache, TimeProvider.System, report);
                    var request = new ImageBuildRequest(
                        ImageRecipe.Load(parsed.GetValue(recipe)!),
                        parsed.GetValue(agent),
                        AgentVersion,
                        parsed.GetValue(name),
                        parsed.GetValue(update)
                    );
                    var image = parsed.GetValue(ifMissing) ? builder.FindBuilt(request) : null;
                    image ??= await builder.BuildAsync(request, cancellation);
                    report(
                        $"{image.Name} {image.Digest}: {image.Packages.Count} packages, {image.Entries} entries, {image.Size / 1e6:0} MB"
                    );
                    if (image.BootTest is not { Passed: true } && !parsed.GetValue(noBootTest))
                    {
                        image = await BootTestAsync(layout, store, image, report, cancellation);
                    }

                    Console.WriteLine(image.Digest);
                    return Outcome(image, parsed.GetValue(noBootTest));
                }
                catch (Exception e)
                    when (e
                            is ImageRecipeException
                                or ImageBuildException
                                or CommandFailedException
                                or IOException
                                or UnauthorizedAccessException
                    )
                {
                    Console.Error.WriteLine($"The image was not built: {e.Message}");
                    return 1;
                }
                catch (OperationCanceledException)
                {
                    Console.Error.WriteLine("The build was ended; nothing of it is left.");
                    return 130;
                }
            }
        );
        return command;
    }

    private static Command Test()
    {
        var wanted = new KindArgument<string>("image", Kind.Text) { Description = "Name or digest" };
        var command = new Command("test", "Boot-test an image that is in the store, and keep the outcome in its manifest") { wanted };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                var layout = new DataLayout(parsed.GetValue(Data)!);
                var store = new ImageStore(layout.Images);
                if (store.Find(parsed.GetValue(wanted)!) is not { } image)
                {
                    Console.Error.WriteLine($"There is no image '{parsed.GetValue(wanted)}'.");
                    return 1;
                }

                try
                {
                    return Outcome(await BootTestAsync(layout, store, image, Console.Error.WriteLine, cancellation), untestedIsFine: false);
                }
                catch (OperationCanceledException)
                {
                    Console.Error.WriteLine("The boot test was ended; the image counts as untested.");
                    return 130;
                }
            }
        );
        return command;
    }

    private static Command Warm()
    {
        var template = new KindOptions<string>("--template", Kind.Text)
        {
            Description =
                "Template whose desktops it is for; default: all whose image can be used (those of the same machine share one); repeatable",
        };
        var command = new Command(
            "warm",
            "Keep a booted machine beside its image for each template, so that desktops go on from it instead of booting; each holds the memory that the guest uses, on disk"
        )
        {
            template,
            Driver,
            Keeper,
        };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                var (chosen, unfit) = await DriverAsync(parsed, cancellation);
                var data = Path.GetFullPath(parsed.GetValue(Data)!);
                var problem = chosen is null
                    ? unfit
                    : await new SnapshotWarming(data, chosen, parsed.GetValue(Keeper)).RunAsync(
                        parsed.GetValue(template) ?? [],
                        Reporter(),
                        cancellation
                    );
                if (problem is not null)
                {
                    Console.Error.WriteLine($"There is no snapshot: {problem}");
                    return 1;
                }

                return 0;
            }
        );
        return command;
    }

    private static Task<(DesktopDriver? Driver, string? Problem)> DriverAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var keeper = parsed.GetValue(Keeper) ?? new ServeOptions { DataDirectory = parsed.GetValue(Data)! }.Keeper;
        return DriverChoice.ResolveAsync(
            parsed.GetValue(Driver)!,
            keeper,
            new ImageStore(new DataLayout(parsed.GetValue(Data)!).Images),
            cancellationToken
        );
    }

    /// <returns>Prints lines, each with the seconds since now.</returns>
    private static Action<string> Reporter()
    {
        var started = Stopwatch.GetTimestamp();
        return line =>
            Console.Error.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"[{Stopwatch.GetElapsedTime(started).TotalSeconds, 6:0.0} s] image: {line}")
            );
    }

    /// <summary>What an earlier test found holds no more once this one begins.</summary>
    private static async Task<ImageManifest> BootTestAsync(
        DataLayout layout,
        ImageStore store,
        ImageManifest image,
        Action<string> report,
        CancellationToken cancellationToken
    )
    {
        store.RecordBootTest(image.Digest, null);
        var outcome = await new DesktopBootTest(layout.Root, TimeProvider.System).RunAsync(
            image,
            store.PathOf(image.Digest),
            report,
            cancellationToken
        );
        return store.RecordBootTest(image.Digest, outcome);
    }

    private static string AgentVersion => typeof(ImageCommand).Assembly.GetName().Version?.ToString(3) ?? "0";

    private static int Outcome(ImageManifest image, bool untestedIsFine)
    {
        if (image.BootTest is { Passed: false } failed)
        {
            Console.Error.WriteLine($"The image failed its boot test and is not usable: {failed.Reason}");
            return 1;
        }

        if (image.BootTest is null)
        {
            Console.Error.WriteLine(
                "The image has had no boot test: it is not usable (ORIEL_ALLOW_UNTESTED_IMAGE=1 allows it for development)."
            );
            return untestedIsFine ? 0 : 1;
        }

        return 0;
    }

    private static Command List()
    {
        var json = new KindOption<bool>("--json", Kind.Flag) { Description = "As JSON, without the packages" };
        var command = new Command(
            "list",
            "Images in the store, newest first, with their snapshots, and why a server with that driver would not use one"
        )
        {
            json,
            Driver,
            Keeper,
        };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                var data = parsed.GetValue(Data)!;
                if (!Directory.Exists(data))
                {
                    Console.Error.WriteLine($"oriel: {data} does not exist: ./oriel up makes it, and an image in it.");
                    return 1;
                }

                var store = new ImageStore(new DataLayout(data).Images);
                var (images, problem) = await ImageList.ReadAsync(store, () => DriverAsync(parsed, cancellation), cancellation);
                if (problem is not null)
                {
                    Console.Error.WriteLine(problem);
                    return 1;
                }

                if (parsed.GetValue(json))
                {
                    ImageList.WriteJson(images, Console.OpenStandardOutput());
                    return 0;
                }

                AnsiConsole.Write(ImageList.Table(images));
                return 0;
            }
        );
        return command;
    }

    private static Command Verify()
    {
        var image = new KindArgument<string>("image", Kind.Text)
        {
            Description = "Name or digest (default: all)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var command = new Command("verify", "Read an image's tree again and compare it with its digest") { image };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                var store = new ImageStore(new DataLayout(parsed.GetValue(Data)!).Images);
                var wanted = parsed.GetValue(image);
                var images =
                    wanted is null ? store.List()
                    : store.Find(wanted) is { } one ? [one]
                    : [];
                if (images.Count == 0)
                {
                    Console.Error.WriteLine(wanted is null ? "There is no image." : $"There is no image '{wanted}'.");
                    return 1;
                }

                var intact = true;
                foreach (var manifest in images)
                {
                    var result = await store.VerifyAsync(manifest.Digest, cancellation);
                    intact &= result.Intact;
                    Console.WriteLine($"{manifest.Name} {manifest.Digest}: {(result.Intact ? "intact" : result.Problem)}");
                }

                return intact ? 0 : 1;
            }
        );
        return command;
    }

    private static Command Remove()
    {
        var image = new KindArgument<string>("image", Kind.Text) { Description = "Name or digest" };
        var command = new Command("rm", "Remove an image that no desktop uses") { image };
        command.SetAction(
            async (parsed, cancellation) =>
            {
                var layout = new DataLayout(parsed.GetValue(Data)!);
                var wanted = parsed.GetValue(image)!;
                var removal = await new ImageStore(layout.Images).RemoveAsync(
                    wanted,
                    digest => ImageList.IsInUse(layout, digest),
                    cancellation
                );
                switch (removal)
                {
                    case ImageRemoval.Removed:
                        Console.WriteLine($"Removed {wanted}.");
                        return 0;
                    case ImageRemoval.InUse:
                        Console.Error.WriteLine($"'{wanted}' is in use by a desktop: destroy that first.");
                        return 1;
                    default:
                        Console.Error.WriteLine($"There is no image '{wanted}'.");
                        return 1;
                }
            }
        );
        return command;
    }
}
