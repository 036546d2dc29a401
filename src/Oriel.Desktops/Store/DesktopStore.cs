using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.EntityFrameworkCore;
using Oriel.Desktops.Events;
using Oriel.Desktops.Lifecycle;
using Oriel.Egress.Policy;
using Oriel.Protocol;

namespace Oriel.Desktops.Store;

/// <summary>Desktops and their life events in the database. Safe for concurrent use.</summary>
public sealed class DesktopStore(IDbContextFactory<DesktopDbContext> factory)
{
    /// <summary>Sets a desktop's record and adds events to it, in one transaction.</summary>
    public async Task SaveAsync(StoredDesktop desktop, IReadOnlyList<DesktopEvent> events, CancellationToken cancellationToken)
    {
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        var record = ToRecord(desktop);
        var exists = await db.Desktops.AnyAsync(d => d.Id == record.Id, cancellationToken);
        db.Entry(record).State = exists ? EntityState.Modified : EntityState.Added;
        foreach (var item in events)
        {
            db.Events.Add(
                new DesktopEventRecord
                {
                    DesktopId = record.Id,
                    Sequence = item.Sequence,
                    Type = item.Type,
                    At = item.At.ToUnixTimeMilliseconds(),
                    Json = JsonSerializer.Serialize(item.Data, TypeOf(item.Data)),
                }
            );
        }

        await db.SaveChangesAsync(cancellationToken);
    }

    /// <summary>All desktops that are not destroyed, and those destroyed after <paramref name="since"/>.</summary>
    public async Task<IReadOnlyList<(StoredDesktop Desktop, IReadOnlyList<DesktopEvent> Events)>> LoadAsync(
        DateTimeOffset since,
        CancellationToken cancellationToken
    )
    {
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        var from = since.ToUnixTimeMilliseconds();
        var destroyed = DesktopState.Destroyed.Name();
        var records = await db.Desktops.AsNoTracking().Where(d => d.State != destroyed || d.EndedAt > from).ToListAsync(cancellationToken);
        var ids = records.Select(r => r.Id).ToList();
        var events = await db
            .Events.AsNoTracking()
            .Where(e => ids.Contains(e.DesktopId))
            .OrderBy(e => e.Sequence)
            .ToListAsync(cancellationToken);
        var byDesktop = events.ToLookup(e => e.DesktopId);
        return [.. records.Select(r => (FromRecord(r), (IReadOnlyList<DesktopEvent>)[.. byDesktop[r.Id].Select(FromRecord)]))];
    }

    /// <summary>Forgets desktops that were destroyed before <paramref name="before"/>.</summary>
    public async Task ForgetAsync(DateTimeOffset before, CancellationToken cancellationToken)
    {
        await using var db = await factory.CreateDbContextAsync(cancellationToken);
        var until = before.ToUnixTimeMilliseconds();
        var destroyed = DesktopState.Destroyed.Name();
        await db.Desktops.Where(d => d.State == destroyed && d.EndedAt < until).ExecuteDeleteAsync(cancellationToken);
    }

    private static DesktopRecord ToRecord(StoredDesktop desktop)
    {
        var s = desktop.View;
        return new DesktopRecord
        {
            Id = s.Id.ToString(),
            Name = s.Name,
            Template = s.Template,
            State = s.State.Name(),
            ReasonJson = s.Reason is null ? null : JsonSerializer.Serialize(s.Reason, DesktopsJsonContext.Default.DesktopReason),
            ImageName = s.ImageName,
            ImageDigest = s.ImageDigest,
            Driver = s.Driver,
            Width = s.Width,
            Height = s.Height,
            Hostname = s.Hostname,
            CreatedAt = s.CreatedAt.ToUnixTimeMilliseconds(),
            ReadyAt = s.ReadyAt?.ToUnixTimeMilliseconds(),
            EndedAt = s.EndedAt?.ToUnixTimeMilliseconds(),
            ExpiresAt = s.ExpiresAt?.ToUnixTimeMilliseconds(),
            IdleTimeoutMs = (long?)s.IdleTimeout?.TotalMilliseconds,
            IdlePauseMs = (long?)s.IdlePause?.TotalMilliseconds,
            // A desktop that is gone needs no password any more.
            EgressPolicyJson = JsonSerializer.Serialize(
                s.State == DesktopState.Destroyed ? desktop.Egress.WithoutSecrets() : desktop.Egress,
                DesktopsJsonContext.Default.EgressPolicy
            ),
            StepsJson = JsonSerializer.Serialize(s.Steps, DesktopsJsonContext.Default.IReadOnlyListStepView),
            AttestationJson = desktop.Attestation is null
                ? null
                : JsonSerializer.Serialize(desktop.Attestation, DesktopsJsonContext.Default.AttestationDocument),
            EventCeiling = desktop.EventCeiling,
        };
    }

    private static StoredDesktop FromRecord(DesktopRecord r) =>
        new(
            new DesktopView
            {
                Id = DesktopId.Parse(r.Id),
                Name = r.Name,
                Template = r.Template,
                State = Enum.GetValues<DesktopState>().Single(state => state.Name() == r.State),
                Reason = Read(r.ReasonJson, DesktopsJsonContext.Default.DesktopReason),
                ImageName = r.ImageName,
                ImageDigest = r.ImageDigest,
                Driver = r.Driver,
                Width = r.Width,
                Height = r.Height,
                Hostname = r.Hostname,
                CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(r.CreatedAt),
                ReadyAt = Time(r.ReadyAt),
                EndedAt = Time(r.EndedAt),
                ExpiresAt = Time(r.ExpiresAt),
                IdleTimeout = r.IdleTimeoutMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null,
                IdlePause = r.IdlePauseMs is { } pause ? TimeSpan.FromMilliseconds(pause) : null,
                Steps = Read(r.StepsJson, DesktopsJsonContext.Default.IReadOnlyListStepView) ?? [],
            },
            Read(r.EgressPolicyJson, DesktopsJsonContext.Default.EgressPolicy) ?? EgressPolicy.None,
            Read(r.AttestationJson, DesktopsJsonContext.Default.AttestationDocument),
            r.EventCeiling
        );

    private static DesktopEvent FromRecord(DesktopEventRecord r) =>
        new(
            r.Sequence,
            r.Type,
            DateTimeOffset.FromUnixTimeMilliseconds(r.At),
            r.Type switch
            {
                "state" => JsonSerializer.Deserialize(r.Json, DesktopsJsonContext.Default.StateEvent)!,
                "step" => JsonSerializer.Deserialize(r.Json, DesktopsJsonContext.Default.StepEvent)!,
                _ => new EndEvent(),
            }
        );

    private static DateTimeOffset? Time(long? ms) => ms is { } value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : null;

    private static T? Read<T>(string? json, JsonTypeInfo<T> type)
        where T : class => json is null ? null : JsonSerializer.Deserialize(json, type);

    private static JsonTypeInfo TypeOf(DesktopEventData data) =>
        DesktopsJsonContext.Default.GetTypeInfo(data.GetType())
        ?? throw new InvalidOperationException($"{data.GetType()} is not in the JSON context.");
}

/// <summary>What is kept of a desktop.</summary>
public sealed record StoredDesktop(DesktopView View, EgressPolicy Egress, AttestationDocument? Attestation, long EventCeiling);
