.PHONY: run test check bench deploy
run: ; cargo run -p local
test: ; cargo test --workspace
check: ; .ci/run
bench: ; cargo bench --bench decode && cargo run --profile bench -p local --example compare
deploy: ; sam build && sam deploy
