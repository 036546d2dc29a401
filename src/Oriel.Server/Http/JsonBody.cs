using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Oriel.Protocol;

namespace Oriel.Server.Http;

/// <summary>
/// Reads bounded JSON bodies; what is wrong with one becomes a problem with the reason. One that is too long or badly framed is for
/// <see cref="UnreadableRequests"/>.
/// </summary>
internal static class JsonBody
{
    /// <summary>Of every body that routing refuses for its type, too.</summary>
    public const string WrongType = "The body must be application/json.";

    /// <summary>A longer path is made of the body's own names and helps nobody.</summary>
    private const int MaxPath = 200;

    /// <summary>Sets the size that a body may have, and describes it and its refusals for OpenAPI.</summary>
    public static RouteHandlerBuilder Takes<T>(this RouteHandlerBuilder builder, long maxBytes)
        where T : notnull => builder.Accepts<T>("application/json").TakesAtMost(maxBytes);

    public static RouteHandlerBuilder TakesAtMost(this RouteHandlerBuilder builder, long maxBytes) =>
        builder
            .WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(maxBytes))
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType);

    public static async Task<(T? Value, IResult? Problem)> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type)
        where T : class
    {
        if (!context.Request.HasJsonContentType())
        {
            return (null, Problems.Of(StatusCodes.Status415UnsupportedMediaType, RequestReasons.UnsupportedMediaType, WrongType));
        }

        try
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            var text = JsonIntegers.AsDigits(body.GetBuffer().AsMemory(0, (int)body.Length));
            return JsonSerializer.Deserialize(text.Span, type) is { } value
                ? (value, null)
                : (null, Problems.BadRequest("The body must be a JSON object."));
        }
        catch (JsonException e)
        {
            // The serializer's message names path and line, and may quote a little of the body: the path is enough.
            return (
                null,
                Problems.BadRequest(
                    $"The body is not the JSON that is expected{(e.Path is { Length: > 1 and <= MaxPath } path ? $", at {path}" : "")}."
                )
            );
        }
    }
}
