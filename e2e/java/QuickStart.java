// What azure-cosmos does against the platform in gateway mode, printed as JSON; where everything is comes from the environment.
import com.azure.cosmos.ConsistencyLevel;
import com.azure.cosmos.CosmosClient;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosDatabase;
import com.azure.cosmos.CosmosException;
import com.azure.cosmos.models.*;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.*;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

public class QuickStart {
  static final ObjectMapper json = new ObjectMapper();

  static ObjectNode item(String id, String pk, int n) {
    return json.createObjectNode().put("id", id).put("pk", pk).put("n", n);
  }

  /** trust makes the certificates of a PEM file those that this process trusts. */
  static void trust(String pem) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    try (InputStream in = new FileInputStream(pem)) {
      int i = 0;
      for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        store.setCertificateEntry("ca" + i++, c);
      }
    }
    Path file = Files.createTempFile("trust", ".p12");
    file.toFile().deleteOnExit();
    try (OutputStream out = Files.newOutputStream(file)) {
      store.store(out, "public".toCharArray());
    }
    System.setProperty("javax.net.ssl.trustStore", file.toString());
    System.setProperty("javax.net.ssl.trustStorePassword", "public");
    System.setProperty("javax.net.ssl.trustStoreType", "PKCS12");
  }

  static List<Object> query(CosmosContainer c, String text, String pk, String field) {
    CosmosQueryRequestOptions o = new CosmosQueryRequestOptions();
    if (pk != null) o.setPartitionKey(new PartitionKey(pk));
    return StreamSupport.stream(c.queryItems(text, o, com.fasterxml.jackson.databind.JsonNode.class).spliterator(), false)
        .map(r -> field == null ? json.convertValue(r, Object.class) : json.convertValue(r.get(field), Object.class)).collect(Collectors.toList());
  }

  interface Call { void run(); }

  static List<Integer> failed(Call f) {
    try {
      f.run();
    } catch (CosmosException e) {
      return List.of(e.getStatusCode(), e.getSubStatusCode());
    }
    return List.of();
  }

  public static void main(String[] args) throws Exception {
    trust(System.getenv("SSL_CERT_FILE"));
    Map<String, Object> seen = new LinkedHashMap<>();
    try (CosmosClient client = new CosmosClientBuilder().endpoint(System.getenv("ENDPOINT")).key(System.getenv("KEY")).gatewayMode()
        .consistencyLevel(ConsistencyLevel.SESSION).contentResponseOnWriteEnabled(true).buildClient()) {
      client.createDatabaseIfNotExists("java");
      CosmosDatabase db = client.getDatabase("java");
      // More throughput than one partition key range has, so that there are several.
      db.createContainerIfNotExists(new CosmosContainerProperties("items", "/pk"), ThroughputProperties.createManualThroughput(20100));
      CosmosContainer c = db.getContainer("items");
      PartitionKey a = new PartitionKey("a");

      ObjectNode made = c.createItem(item("1", "a", 1)).getItem();
      CosmosItemResponse<ObjectNode> read = c.readItem("1", a, ObjectNode.class);
      seen.put("read", List.of(read.getItem().get("n").asInt(), read.getETag().equals(made.get("_etag").asText()), read.getRequestCharge() > 0));
      seen.put("conflict", failed(() -> c.createItem(item("1", "a", 1))));
      seen.put("missing", failed(() -> c.readItem("none", a, ObjectNode.class)));
      seen.put("stale", failed(() -> c.replaceItem(item("1", "a", 2), "1", a, new CosmosItemRequestOptions().setIfMatchETag("\"old\""))));
      seen.put("replaced", c.replaceItem(item("1", "a", 2), "1", a, new CosmosItemRequestOptions()).getItem().get("n").asInt());
      seen.put("upserted", c.upsertItem(item("2", "a", 7)).getStatusCode());
      seen.put("patched", c.patchItem("1", a, CosmosPatchOperations.create().increment("/n", 40).set("/s", "x"), ObjectNode.class).getItem().get("n").asInt());

      // A transactional batch that holds, one that does not, and one whose read finds nothing new.
      CosmosBatch batch = CosmosBatch.createCosmosBatch(a);
      batch.createItemOperation(item("3", "a", 3));
      batch.readItemOperation("1");
      batch.patchItemOperation("3", CosmosPatchOperations.create().increment("/n", 1));
      batch.deleteItemOperation("2");
      CosmosBatchResponse did = c.executeCosmosBatch(batch);
      seen.put("batch", statuses(did));
      seen.put("batchRead", did.getResults().get(1).getItem(ObjectNode.class).get("n").asInt());
      batch = CosmosBatch.createCosmosBatch(a);
      batch.createItemOperation(item("4", "a", 4));
      batch.createItemOperation(item("1", "a", 1));
      did = c.executeCosmosBatch(batch);
      seen.put("failedBatch", List.of(did.getStatusCode(), did.isSuccessStatusCode(), statuses(did)));
      seen.put("undone", failed(() -> c.readItem("4", a, ObjectNode.class)));

      // Bulk: over all ranges, with one that is there already.
      List<CosmosItemOperation> many = new ArrayList<>();
      for (int i = 0; i < 300; i++) many.add(CosmosBulkOperations.getCreateItemOperation(item("b" + i, "p" + i % 30, i), new PartitionKey("p" + i % 30)));
      many.add(CosmosBulkOperations.getCreateItemOperation(item("1", "a", 0), a));
      many.add(CosmosBulkOperations.getReadItemOperation("1", a));
      Map<Integer, Long> byStatus = new TreeMap<>();
      for (CosmosBulkOperationResponse<?> r : c.executeBulkOperations(many)) byStatus.merge(r.getResponse().getStatusCode(), 1L, Long::sum);
      seen.put("bulk", byStatus);

      // Queries: of one logical partition, and over all ranges with what the client merges.
      seen.put("one", query(c, "SELECT c.id FROM c WHERE c.n > 1 ORDER BY c.n DESC", "a", "id"));
      seen.put("count", query(c, "SELECT VALUE COUNT(1) FROM c", null, null));
      seen.put("top", query(c, "SELECT TOP 3 c.n FROM c WHERE c.pk != 'a' ORDER BY c.n DESC", null, "n"));
      seen.put("sum", query(c, "SELECT VALUE SUM(c.n) FROM c WHERE c.pk != 'a'", null, null));
      seen.put("distinct", query(c, "SELECT DISTINCT VALUE c.pk FROM c", null, null).size());
      seen.put("group", query(c, "SELECT c.pk, COUNT(1) AS k FROM c WHERE c.pk IN ('a', 'p3') GROUP BY c.pk", null, "k").stream().map(String::valueOf).sorted().collect(Collectors.toList()));
      seen.put("page", query(c, "SELECT VALUE c.n FROM c WHERE c.pk != 'a' ORDER BY c.n OFFSET 10 LIMIT 2", null, null));
      int pages = 0, rows = 0;
      for (FeedResponse<ObjectNode> p : c.queryItems("SELECT * FROM c", new CosmosQueryRequestOptions(), ObjectNode.class).iterableByPage(50)) {
        pages++;
        rows += p.getResults().size();
      }
      seen.put("pages", List.of(pages > 5, rows));
      seen.put("many", c.readMany(List.of(new CosmosItemIdentity(a, "1"), new CosmosItemIdentity(new PartitionKey("p3"), "b3")), ObjectNode.class).getResults().size());

      // The change feed, from the beginning and then on.
      Set<String> changed = new HashSet<>();
      String token = null;
      CosmosChangeFeedRequestOptions from = CosmosChangeFeedRequestOptions.createForProcessingFromBeginning(FeedRange.forFullRange());
      for (FeedResponse<ObjectNode> p : c.queryChangeFeed(from, ObjectNode.class).iterableByPage()) {
        p.getResults().forEach(d -> changed.add(d.get("pk").asText() + "/" + d.get("id").asText()));
        token = p.getContinuationToken();
      }
      seen.put("changes", changed.size());
      c.upsertItem(item("late", "z", 1));
      List<String> late = new ArrayList<>();
      for (FeedResponse<ObjectNode> p : c.queryChangeFeed(CosmosChangeFeedRequestOptions.createForProcessingFromContinuation(token), ObjectNode.class).iterableByPage()) {
        p.getResults().forEach(d -> late.add(d.get("id").asText()));
      }
      seen.put("late", late);
      seen.put("ranges", c.getFeedRanges().size());

      // Scripts.
      c.getScripts().createStoredProcedure(new CosmosStoredProcedureProperties("hello", "function (who) { console.log('asked'); getContext().getResponse().setBody('Hello, ' + who) }"));
      CosmosStoredProcedureResponse said = c.getScripts().getStoredProcedure("hello").execute(List.of("Ada"), new CosmosStoredProcedureRequestOptions().setPartitionKey(a).setScriptLoggingEnabled(true));
      seen.put("procedure", List.of(said.getResponseAsString(), said.getScriptLog()));
      c.getScripts().createStoredProcedure(new CosmosStoredProcedureProperties("fail", "function () { throw new Error(4711, 'no') }"));
      seen.put("thrown", failed(() -> c.getScripts().getStoredProcedure("fail").execute(List.of(), new CosmosStoredProcedureRequestOptions().setPartitionKey(a))));

      seen.put("deleted", c.deleteItem("1", a, new CosmosItemRequestOptions()).getStatusCode());
      seen.put("gone", failed(() -> c.readItem("1", a, ObjectNode.class)));
      db.delete();
      seen.put("databaseGone", failed(() -> db.read()).get(0));
    }
    System.out.println(json.writeValueAsString(seen));
    System.exit(0); // the client leaves threads
  }

  static List<Integer> statuses(CosmosBatchResponse r) {
    return r.getResults().stream().map(CosmosBatchOperationResult::getStatusCode).collect(Collectors.toList());
  }
}
